/**
 * The checks that Xen makes during an operation, in their order, as far as they can be held side by side.
 *
 * A real host runs the example policy with auditing of all that it allows (`auditPolicy`), and its console ring tells of
 * each check; the simulated host keeps a record by itself.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Host, OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';

/** Checks that are left out on both sides, by class and permission, each with its reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'mmu map_read': 'not audited: page by page',
  'mmu map_read map_write': 'not audited: page by page',
  'mmu mmuext_op': 'not audited: page by page',
  'mmu updatemp': 'not audited: page by page',
  'domain destroy': 'not audited: once for each continuation',
  'event send': 'not audited: at each event',
  'event status': 'not audited: at each event',
  'xen readconsole': 'Dewar reads the log itself',
  'xen physinfo': 'xl asks when it starts; Dewar calls libxl without xl',
  'domain getdomaininfo': 'Dewar looks at the guest more often than xl, to say how it stands',
  'security check_context': 'Dewar asks whether labels are valid where xl does not',
};

const typeOf = (label: string): string => label.split(':')[2] ?? label;

/** Permissions of one check have an order of their own in the log: that of their bits. */
function textOf({
  class: tclass,
  permissions,
  source,
  target,
}: {
  readonly class: string;
  readonly permissions: readonly string[];
  readonly source: string;
  readonly target: string;
}): string | undefined {
  if (tclass === 'version') return undefined;
  // The kernel of dom0 pins page tables of its own when libxl forks; a simulated dom0 has no processes.
  if (tclass === 'mmu' && source === target) return undefined;
  if (LEFT_OUT[`${tclass} ${permissions.join(' ')}`] !== undefined) return undefined;
  return `${tclass} { ${permissions.join(' ')} } ${typeOf(source)} ${typeOf(target)}`;
}

/** The type of the guest that is traced, as it runs. */
const GUEST = 'nomigrate_t';

/** The checks that are not the guest's own, equal neighbours once. */
function checksOf({ timeline }: OperationReport<unknown>): string[] {
  const lines: string[] = [];
  for (const { checks, count } of timeline.flatMap(({ hypercalls }) => hypercalls)) {
    // A record that stands for some equal hypercalls with more than one check stands for those checks in turn.
    for (let i = 0; i < (checks.length > 1 ? count : 1); i++) {
      for (const check of checks) {
        // What the guest does by itself comes whenever its kernel gets to it.
        if (typeOf(check.source) === GUEST) continue;
        const line = textOf(check);
        if (line !== undefined && lines.at(-1) !== line) lines.push(line);
      }
    }
  }
  return lines;
}

/** Runs the operations one after the other; answers the checks of each. */
export async function traceOperations(host: Host, config: DomainConfig): Promise<Record<string, readonly string[]>> {
  const traces: Record<string, readonly string[]> = {};
  const keep = async (name: string, report: Promise<OperationReport<unknown>>): Promise<void> => {
    const found = await report;
    if (found.outcome !== 'done')
      throw new Error(`${name} failed: ${found.diagnostics.map(({ message }) => message).join('; ')}`);
    traces[name] = checksOf(found);
  };
  const { name } = config;
  await keep('create, paused', host.create(config, { uuid: randomUUID(), paused: true, unwatched: true }));
  await keep('unpause', host.unpause(name));
  await keep('pause', host.pause(name));
  await keep('rename', host.rename(name, `${name}2`));
  await keep('sched-credit2', host.schedCredit2(`${name}2`));
  await keep('destroy', host.destroy(`${name}2`));
  return traces;
}
