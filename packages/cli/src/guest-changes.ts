/**
 * What a change of policy does to guests: each operation of their lives, rehearsed under both policies.
 *
 * @module
 */
import type { LifeChange } from '@dewar/lab/rehearsal';
import { type Diagnostic, hasErrors, SourceText } from '@dewar/policy/text';
import { RequestError } from './failures.ts';
import { readLatin1 } from './files.ts';
import { displayPath, type PolicyReading } from './policy-input.ts';
import { byteText, type Colours } from './terminal.ts';

/** What becomes of one guest. */
export interface GuestChanges {
  readonly guest: string;
  readonly changes: readonly LifeChange[];
}

/** Rehearses the life of each guest under both policies; faults of its configuration go to `report`. */
export async function guestChanges(
  files: readonly string[],
  old: PolicyReading,
  next: PolicyReading,
  report: (diagnostics: readonly Diagnostic[]) => void,
): Promise<GuestChanges[]> {
  const { parseXlCfg, readDomainConfig } = await import('@dewar/toolstack/xl-cfg');
  const { bootSimulatedHost, compareLives, rehearseLife } = await import('@dewar/lab/rehearsal');
  const found: GuestChanges[] = [];
  for (const file of files) {
    const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
    const { config, diagnostics } = readDomainConfig(parseXlCfg(source));
    report(diagnostics.filter(({ severity }) => severity === 'error'));
    if (config === undefined || hasErrors(diagnostics))
      throw new RequestError(`the guest of \`${displayPath(file)}\` has no sound configuration`);
    const lifeUnder = async ({ name, bytes, compiled }: PolicyReading) => {
      const image = { name, bytes: bytes ?? new Uint8Array(), compiled };
      let refused = '';
      const life = await rehearseLife(config, () => {
        const boot = bootSimulatedHost(image, 'enforcing');
        if (boot.kind === 'booted') return boot.host.host;
        refused = boot.reason;
        return undefined;
      });
      if (life === undefined) throw new RequestError(`Xen does not start with the policy \`${name}\`: ${refused}`);
      return life;
    };
    found.push({ guest: source.name, changes: compareLives(await lifeUnder(old), await lifeUnder(next)) });
  }
  return found;
}

const because = (denied: readonly string[]): string => (denied.length === 0 ? '' : `: ${denied.join('; ')}`);

/** The changes of guests in lines. */
export function* guestLines(guests: readonly GuestChanges[], colours: Colours): Generator<string> {
  for (const { guest, changes } of guests) {
    yield '';
    yield `${colours.strong(`what becomes of ${guest}`)}${colours.faint(', rehearsed on a simulated Xen 4.17')}`;
    if (changes.length === 0) yield '  every operation comes out as before';
    const untried = changes.filter(({ before, after }) => before === undefined || after === undefined);
    for (const change of changes) if (!untried.includes(change)) yield changeLine(change, colours);
    const [first] = untried;
    if (first === undefined) continue;
    if (first.after === undefined)
      yield colours.faint(`    without a guest, ${untried.length} other operations cannot be tried any more`);
    else {
      yield colours.faint('    now that there is a guest:');
      for (const change of untried) yield changeLine(change, colours);
    }
  }
}

function changeLine({ operation, before, after }: LifeChange, colours: Colours): string {
  const title = operation.padEnd(22);
  const why = because(after?.denied ?? []);
  if (after?.outcome === 'done')
    return before?.outcome === 'done'
      ? `  ${colours.warning('*')} ${title} works otherwise${why}`
      : `  ${colours.good('+')} ${title} works now${why}`;
  return before?.outcome === 'done'
    ? `  ${colours.error('-')} ${title} no longer works${why}`
    : `  ${colours.warning('*')} ${title} fails${before === undefined ? '' : ' otherwise'}${why}`;
}
