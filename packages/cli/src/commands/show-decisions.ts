/**
 * What was decided between two labels, class by class, as `dewar decide` tells it.
 *
 * @module
 */
import { EXIT } from '../failures.ts';
import { jsonText } from '../report-json.ts';
import { coloursFor, print, printLine, type Terminal } from '../terminal.ts';

/** What is decided for one class. */
export interface ClassDecision {
  readonly class: string;
  readonly granted: readonly string[];
  readonly denied: readonly string[];
  /** Granted permissions whose use is logged. */
  readonly auditAllow: readonly string[];
  /** Denied permissions whose denial is not logged. */
  readonly dontAudit: readonly string[];
}

/** The decision of a class from its vectors; `select` names the permissions of a vector. */
export function classDecision(
  name: string,
  {
    allowed,
    auditAllow,
    auditDeny,
  }: { readonly allowed: number; readonly auditAllow: number; readonly auditDeny: number },
  select: (vector: number) => string[],
): ClassDecision {
  return {
    class: name,
    granted: select(allowed),
    denied: select(~allowed),
    auditAllow: select(allowed & auditAllow),
    dontAudit: select(~allowed & ~auditDeny),
  };
}

/** Prints what was decided between two labels; `policy` is who decided. */
export function showDecisions(
  answer: {
    readonly policy: string | undefined;
    readonly source: string;
    readonly target: string;
    readonly decisions: readonly ClassDecision[];
  },
  { isOneClass, isJson }: { readonly isOneClass: boolean; readonly isJson: boolean },
  terminal: Terminal,
): number {
  if (isJson) print(terminal.out, jsonText(answer));
  else printDecisions(answer.decisions, isOneClass, terminal);
  return EXIT.done;
}

function printDecisions(decisions: readonly ClassDecision[], isOneClass: boolean, { out }: Terminal): void {
  const colours = coloursFor(out);
  const set = (names: readonly string[]): string => `{ ${names.join(' ')} }`;
  let isAny = false;
  for (const { class: name, granted, denied, auditAllow, dontAudit } of decisions) {
    if (granted.length === 0 && !isOneClass) continue;
    isAny = true;
    printLine(out, `${colours.strong(name)}`);
    if (granted.length > 0) printLine(out, `  ${colours.good('granted')}  ${set(granted)}`);
    if (denied.length > 0 && isOneClass) printLine(out, `  ${colours.error('denied')}   ${set(denied)}`);
    if (auditAllow.length > 0) printLine(out, `  logged when granted      ${set(auditAllow)}`);
    if (dontAudit.length > 0 && isOneClass) printLine(out, `  not logged when denied   ${set(dontAudit)}`);
  }
  if (!isAny) printLine(out, 'nothing is granted');
}
