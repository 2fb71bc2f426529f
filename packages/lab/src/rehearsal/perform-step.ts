/**
 * Does what a step says on a host.
 *
 * @module
 */
import { type Host, LibxlHost, type Migration, type OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import type { ScenarioStep } from './scenario.ts';
import type { PolicyImage } from './scenario-world.ts';
import { STEP_KINDS } from './step-kinds.ts';

/** What the steps of one scenario hand on to each other. */
export interface StepContext {
  /** Guests that were saved, by the name under which they were. */
  readonly saved: Map<string, unknown>;
  /** The configuration of a guest of the scenario. */
  readonly config: (guest: string, settings: readonly string[]) => DomainConfig;
  /** The names of guests on their hosts, where these are other ones than in the scenario. */
  readonly domains: Map<string, string>;
  /** The hosts of the scenario, by name. */
  readonly hosts: ReadonlyMap<string, Host>;
  readonly policy: (path: string) => Promise<PolicyImage>;
  /** A UUID for a new guest. */
  readonly uuid: () => string;
  /** The path of a file that a step calls by a word; undefined where no file is written. */
  readonly fileFor: ((name: string) => string) | undefined;
}

/** What came of a step. */
export interface Performed {
  readonly report: OperationReport<unknown>;
  /** The guest that it was about, as its host calls it. */
  readonly guest: string | undefined;
  /** The policy that it loaded. */
  readonly loaded?: PolicyImage;
  /** Of a migration, what happened on either side; `report` is then both. */
  readonly sides?: Migration;
}

const KIB_PER_MIB = 1024;

/** The options of a step, each of the kind that `STEP_KINDS` says. */
class Options {
  readonly #options: ScenarioStep['options'];

  constructor({ options }: ScenarioStep) {
    this.#options = options;
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    return value === undefined ? undefined : String(value);
  }

  is(name: string): boolean {
    return this.#options[name] === true;
  }

  count(name: string): number | undefined {
    const value = this.#options[name];
    return typeof value === 'number' ? value : undefined;
  }
}

/** Does one step. */
export async function performStep(step: ScenarioStep, host: Host, context: StepContext): Promise<Performed> {
  const subject = step.subject ?? '';
  const options = new Options(step);
  if (step.kind === 'loadpolicy') {
    const loaded = await context.policy(subject);
    return { report: await host.loadPolicy(loaded.bytes), guest: undefined, loaded };
  }
  const host_ = hostStep(step, host, options);
  if (host_ !== undefined) return { report: await host_, guest: undefined };
  if (step.kind === 'create') {
    const config = context.config(subject, options.text('settings')?.split(/\s*;\s*/) ?? []);
    const name = config.name ?? subject;
    context.domains.set(subject, name);
    const report = await host.create(config, { uuid: context.uuid(), paused: options.is('paused') });
    return { report, guest: name };
  }
  const guest = context.domains.get(subject) ?? subject;
  if (step.kind === 'rename') {
    const to = options.text('to') ?? '';
    const report = await host.rename(guest, to);
    return { report, guest: report.outcome === 'done' ? to : guest };
  }
  if (step.kind === 'save') {
    const named = options.text('as') ?? subject;
    const file = context.fileFor?.(named) ?? named;
    const report = await host.save(guest, {
      checkpoint: options.is('checkpoint'),
      leavePaused: options.is('paused'),
      file,
    });
    if (report.value !== undefined) context.saved.set(named, report.value);
    return { report, guest };
  }
  if (step.kind === 'restore') {
    const named = options.text('from') ?? subject;
    const file = context.fileFor?.(named) ?? named;
    const config = options.is('reconfigured') ? { config: context.config(subject, []) } : {};
    const report = await host.restore(context.saved.get(named), {
      uuid: context.uuid(),
      paused: options.is('paused'),
      file,
      ...config,
    });
    return { report, guest };
  }
  if (step.kind === 'migrate') return migrate(guest, host, options, context);
  const onDevices = deviceStep(step, guest, host, options) ?? pciStep(step, guest, host, options);
  if (onDevices !== undefined) {
    return { report: await onDevices, guest: STEP_KINDS[step.kind].subject === 'guest' ? guest : undefined };
  }
  if (step.kind === 'dump-core')
    return { report: await host.dumpCore(guest, context.fileFor?.(`${subject}.core`)), guest };
  return { report: await guestStep(step, guest, host, options), guest };
}

/** Both sides of a migration as one report: done where the guest has arrived and left nothing behind. */
function joined({ source, target }: Migration): OperationReport<unknown> {
  const isDone = source.outcome === 'done' && target?.outcome === 'done';
  return {
    ...source,
    outcome: isDone ? 'done' : 'failed',
    xlMessages: [...source.xlMessages, ...(target?.xlMessages ?? [])],
    timeline: [...source.timeline, ...(target?.timeline ?? [])],
    labelChanges: target?.labelChanges ?? [],
    domain: isDone ? target?.domain : source.domain,
    diagnostics: [...source.diagnostics, ...(target?.diagnostics ?? [])],
  };
}

/** Has a guest go to another host of the scenario. */
async function migrate(guest: string, host: Host, options: Options, context: StepContext): Promise<Performed> {
  const target = context.hosts.get(options.text('to') ?? '');
  if (!(host instanceof LibxlHost && target instanceof LibxlHost)) {
    throw new RangeError('guests of a scenario migrate between simulated hosts');
  }
  const sides = await host.migrate(guest, target, { uuid: context.uuid(), paused: options.is('paused') });
  return { report: joined(sides), guest, sides };
}

/** A step about disks, network cards, consoles or debug keys; undefined for other steps. */
function deviceStep(
  { kind }: ScenarioStep,
  guest: string,
  host: Host,
  options: Options,
): Promise<OperationReport<unknown>> | undefined {
  const [disk, card] = [options.text('disk') ?? '', options.text('card') ?? ''];
  switch (kind) {
    case 'block-attach':
      return host.blockAttach(guest, [disk]);
    case 'block-detach':
      return host.blockDetach(guest, disk, { force: options.is('force') });
    case 'block-list':
      return host.blockList([guest]);
    case 'network-attach':
      return host.networkAttach(
        guest,
        card.split(/[ ,]+/).filter((part) => part !== ''),
      );
    case 'network-detach':
      return host.networkDetach(guest, card);
    case 'network-list':
      return host.networkList([guest]);
    case 'console': {
      const number = options.count('number');
      return host.console(guest, number === undefined ? {} : { type: 'pv', number });
    }
    case 'debug-keys':
      return host.debugKeys(options.text('keys') ?? '');
    default:
      return undefined;
  }
}

/** A step about PCI devices; undefined for other steps. */
function pciStep(
  { kind, subject = '' }: ScenarioStep,
  guest: string,
  host: Host,
  options: Options,
): Promise<OperationReport<unknown>> | undefined {
  const device = options.text('device') ?? '';
  switch (kind) {
    case 'pci-attach':
      return host.pciAttach(guest, device);
    case 'pci-detach':
      return host.pciDetach(guest, device, { force: options.is('force') });
    case 'pci-list':
      return host.pciList(guest);
    case 'pci-assignable-add':
      return host.pciAssignableAdd(subject, options.text('name'));
    case 'pci-assignable-remove':
      return host.pciAssignableRemove(subject);
    case 'pci-assignable-list':
      return host.pciAssignableList();
    case 'label-pci':
      return host.labelPci(subject, options.text('label') ?? '');
    default:
      return undefined;
  }
}

/** A step that is about no guest. */
function hostStep(
  { kind, subject = '' }: ScenarioStep,
  host: Host,
  options: Options,
): Promise<OperationReport<unknown>> | undefined {
  switch (kind) {
    case 'list':
      return host.list();
    case 'vm-list':
      return host.vmList();
    case 'host-info':
      return host.info();
    case 'dmesg':
      return host.dmesg({ clear: options.is('clear') });
    case 'getenforce':
      return host.getenforce();
    case 'setenforce':
      return host.setenforce(subject === 'enforcing');
    case 'get-bool':
      return host.booleans();
    case 'set-bool':
      return host.setBoolean(subject, options.is('value'));
    default:
      return undefined;
  }
}

/** A step that is about a guest that runs. */
function guestStep(
  { kind }: ScenarioStep,
  guest: string,
  host: Host,
  options: Options,
): Promise<OperationReport<unknown>> {
  const mib = options.count('mib') ?? 0;
  switch (kind) {
    case 'pause':
      return host.pause(guest);
    case 'unpause':
      return host.unpause(guest);
    case 'destroy':
      return host.destroy(guest);
    case 'shutdown':
      return host.shutdown(guest, { wait: options.is('wait') });
    case 'reboot':
      return host.reboot(guest, { wait: options.is('wait') });
    case 'vcpu-list':
      return host.vcpuList(guest);
    case 'vcpu-pin':
      return host.vcpuPin(guest, options.text('vcpu') ?? 'all', options.text('cpus') ?? 'all', options.text('soft'));
    case 'vcpu-set':
      return host.vcpuSet(guest, options.count('count') ?? 1);
    case 'mem-set':
      return host.memSet(guest, mib * KIB_PER_MIB, `${mib}m`);
    case 'mem-max':
      return host.memMax(guest, mib * KIB_PER_MIB, `${mib}m`);
    case 'sched-credit2': {
      const [weight, cap] = [options.count('weight'), options.count('cap')];
      return host.schedCredit2(guest, {
        ...(weight === undefined ? {} : { weight }),
        ...(cap === undefined ? {} : { cap }),
      });
    }
    case 'trigger':
      return host.trigger(guest, options.text('event') ?? '');
    case 'sysrq':
      return host.sysrq(guest, options.text('key') ?? '');
    case 'domid':
      return host.domid(guest);
    case 'probe':
      return host.probeForeignMap(guest, options.is('write') ? 'read-write' : 'read');
    default:
      throw new RangeError(`step \`${kind}\` is about no guest`);
  }
}
