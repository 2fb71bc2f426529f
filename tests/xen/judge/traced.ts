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

/** The types of the guests that are traced, as they run. */
const GUESTS: readonly string[] = ['nomigrate_t', 'domU_t', 'isolated_domU_t'];

/** The checks that are not the guest's own, equal neighbours once. */
function checksOf({ timeline }: OperationReport<unknown>): string[] {
  const lines: string[] = [];
  for (const { checks, count } of timeline.flatMap(({ hypercalls }) => hypercalls)) {
    // A record that stands for some equal hypercalls with more than one check stands for those checks in turn.
    for (let i = 0; i < (checks.length > 1 ? count : 1); i++) {
      for (const check of checks) {
        // What the guest does by itself comes whenever its kernel gets to it. What it may use, dom0 has Xen check.
        if (GUESTS.includes(typeOf(check.source)) && check.class !== 'resource') continue;
        const line = textOf(check);
        if (line !== undefined && lines.at(-1) !== line) lines.push(line);
      }
    }
  }
  return lines;
}

/** A guest that migrates, and what it is where it arrives: with a label of its own, by which the sides are told apart in one log. */
interface Moving {
  readonly leaving: DomainConfig;
  readonly arriving: DomainConfig;
}

/** What is traced: a guest of its own, one that migrates where that can be, and one that is given a PCI device, where there is one. */
export interface Traced {
  readonly config: DomainConfig;
  readonly moving: Moving | undefined;
  readonly served: DomainConfig;
  readonly pciDevice: string | undefined;
}

/** Has a guest migrate; what both sides did, in one report or in two. */
export type Migrate = (name: string, config: DomainConfig) => Promise<readonly OperationReport<unknown>[]>;

/**
 * The reading of memory once: what was written meanwhile is asked for and read again, as often as the guest writes, and whether
 * the last question found anything is a matter of its pace.
 */
function withoutRounds(lines: readonly string[]): string[] {
  const isOfRounds = (line = ''): boolean => /^(?:shadow \{ logdirty|mmu \{ pageinfo) \}/.test(line);
  return lines.filter((line, i) => !isOfRounds(line) || !isOfRounds(lines[i - 1]) || !isOfRounds(lines[i - 2]));
}

/** The checks of one side of a migration: those with the label that the guest has there. */
function ofSide(reports: readonly OperationReport<unknown>[], type: string): string[] {
  const own = reports.flatMap(checksOf).filter((line) => line.endsWith(` ${type}`));
  return withoutRounds(own.filter((line, i) => line !== own[i - 1]));
}

/** The checks of both sides of a migration. */
async function traceMigration(
  host: Host,
  { leaving, arriving }: Moving,
  migrate: Migrate,
): Promise<Record<string, readonly string[]>> {
  await host.create(leaving, { uuid: randomUUID(), unwatched: true });
  const sides = await migrate(leaving.name, arriving);
  const failed = sides.find(({ outcome }) => outcome !== 'done');
  if (failed !== undefined)
    throw new Error(`migrate failed: ${failed.diagnostics.map(({ message }) => message).join('; ')}`);
  await host.destroy(arriving.name);
  return {
    'migrate, sender': ofSide(sides, 'domU_t'),
    'migrate, receiver': ofSide(sides, 'isolated_domU_t'),
  };
}

/** Runs the operations one after the other; answers the checks of each. */
export async function traceOperations(
  host: Host,
  { config, moving, served, pciDevice }: Traced,
  migrate: Migrate,
): Promise<Record<string, readonly string[]>> {
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
  if (moving !== undefined) Object.assign(traces, await traceMigration(host, moving, migrate));
  if (pciDevice === undefined) return traces;
  const label = 'system_u:object_r:nic_dev_t';
  await keep('label-pci', host.labelPci(pciDevice, label));
  // What dom0's kernel asks for here depends on whether the device was set aside before, since the machine booted.
  await host.pciAssignableAdd(pciDevice);
  // The interrupt line is known only now.
  await keep('label-pci, set aside', host.labelPci(pciDevice, label));
  await keep('create, to be given it', host.create(served, { uuid: randomUUID(), paused: true, unwatched: true }));
  // Which labels Xen holds for what belongs to the device, this tells: it gives them back to nobody.
  await keep('pci-attach', host.pciAttach(served.name, pciDevice));
  await host.destroy(served.name);
  await host.pciAssignableRemove(pciDevice);
  return traces;
}
