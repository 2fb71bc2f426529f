/**
 * Labels of devices that no rule is about.
 *
 * @module
 */
import type { Request } from '../../analysis/index.ts';
import type { Context } from '../../policydb/index.ts';
import type { Diagnostic } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import type { LintSubject } from '../lint-subject.ts';

/** A labelled thing, in words, with what the parser calls its statement. */
interface Labelled {
  readonly kind: 'pirqcon' | 'ioportcon' | 'iomemcon' | 'pcidevicecon' | 'devicetreecon';
  readonly what: string;
  readonly context: Context;
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const range = ({ low, high }: { low: bigint; high: bigint }): string =>
  low === high ? hex(low) : `${hex(low)}-${hex(high)}`;

function labelled(subject: LintSubject): Labelled[] {
  const { pirqs, ioports, iomem, pciDevices, deviceTree } = subject.policy.objectContexts;
  return [
    ...pirqs.map(({ number, context }): Labelled => ({ kind: 'pirqcon', what: `interrupt ${number}`, context })),
    ...ioports.map(
      (one): Labelled => ({ kind: 'ioportcon', what: `the I/O ports ${range(one)}`, context: one.context }),
    ),
    ...iomem.map((one): Labelled => ({ kind: 'iomemcon', what: `the frames ${range(one)}`, context: one.context })),
    ...pciDevices.map(
      ({ number, context }): Labelled => ({ kind: 'pcidevicecon', what: `PCI device ${hex(number)}`, context }),
    ),
    ...deviceTree.map(({ path, context }): Labelled => ({ kind: 'devicetreecon', what: `\`${path}\``, context })),
  ];
}

/** Devices whose label lets nobody do anything with them: of each type the first one. */
export function unusedDeviceLabels(subject: LintSubject): Diagnostic[] {
  const tclass = subject.policy.classes.byName.get('resource');
  if (tclass === undefined) return [];
  const request: Request = { tclass: tclass.value, mask: 0xffffffff, isAnyEnough: true };
  const told = new Set<number>();
  const found: Diagnostic[] = [];
  for (const { kind, what, context } of labelled(subject)) {
    const { type } = context;
    if (told.has(type) || subject.decisions.sourceTypes(type, request).length > 0) continue;
    told.add(type);
    const label = subject.decisions.view.text(context);
    const notes = [{ message: 'no domain can be given it, not even dom0' }];
    found.push(lint['unused-device-label'](contextOrigin(subject, kind, type), { what, label }, { notes }));
  }
  return found;
}

/** Where a statement of a kind gives a type. */
function contextOrigin(
  subject: LintSubject,
  kind: Labelled['kind'],
  type: number,
): ReturnType<LintSubject['tokenOrigin']> {
  const name = subject.typeName(type);
  const { tree } = subject;
  const statement = tree?.statements.find(
    (one) => one.kind === kind && 'context' in one && subject.word(one.context.type) === name,
  );
  return statement === undefined ? undefined : subject.tokenOrigin(statement.at);
}
