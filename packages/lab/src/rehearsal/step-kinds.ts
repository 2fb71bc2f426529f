/**
 * The steps that a scenario can have: each is one operation of a host, with its options.
 *
 * Start reading at `STEP_KINDS`.
 *
 * @module
 */

/** What the value behind a step's word names. */
type SubjectKind = 'guest' | 'nothing' | 'mode' | 'boolean' | 'policy' | 'device';

/** How an option is written. */
type OptionKind = 'truth' | 'count' | 'text';

/** One kind of step. */
export interface StepShape {
  readonly subject: SubjectKind;
  readonly options: Readonly<Record<string, OptionKind>>;
  /** Options that must be there. */
  readonly required: readonly string[];
}

function shape(subject: SubjectKind, options: StepShape['options'] = {}, required: readonly string[] = []): StepShape {
  return { subject, options, required };
}

/** A kind of step. */
export type StepKind =
  | 'create'
  | 'list'
  | 'pause'
  | 'unpause'
  | 'destroy'
  | 'dump-core'
  | 'rename'
  | 'shutdown'
  | 'reboot'
  | 'save'
  | 'restore'
  | 'vcpu-list'
  | 'vcpu-pin'
  | 'vcpu-set'
  | 'mem-set'
  | 'mem-max'
  | 'sched-credit2'
  | 'trigger'
  | 'sysrq'
  | 'migrate'
  | 'block-attach'
  | 'block-detach'
  | 'block-list'
  | 'network-attach'
  | 'network-detach'
  | 'network-list'
  | 'pci-attach'
  | 'pci-detach'
  | 'pci-list'
  | 'pci-assignable-add'
  | 'pci-assignable-remove'
  | 'pci-assignable-list'
  | 'label-pci'
  | 'console'
  | 'debug-keys'
  | 'vm-list'
  | 'domid'
  | 'host-info'
  | 'dmesg'
  | 'getenforce'
  | 'setenforce'
  | 'get-bool'
  | 'set-bool'
  | 'loadpolicy'
  | 'probe';

/** The words of steps, which are those of the command line. */
export const STEP_KINDS: Readonly<Record<StepKind, StepShape>> = {
  create: shape('guest', { paused: 'truth', settings: 'text' }),
  list: shape('nothing'),
  pause: shape('guest'),
  unpause: shape('guest'),
  destroy: shape('guest'),
  'dump-core': shape('guest'),
  rename: shape('guest', { to: 'text' }, ['to']),
  shutdown: shape('guest', { wait: 'truth' }),
  reboot: shape('guest', { wait: 'truth' }),
  save: shape('guest', { as: 'text', checkpoint: 'truth', paused: 'truth' }),
  restore: shape('guest', { from: 'text', paused: 'truth', reconfigured: 'truth' }),
  'vcpu-list': shape('guest'),
  'vcpu-pin': shape('guest', { vcpu: 'text', cpus: 'text', soft: 'text' }, ['cpus']),
  'vcpu-set': shape('guest', { count: 'count' }, ['count']),
  'mem-set': shape('guest', { mib: 'count' }, ['mib']),
  'mem-max': shape('guest', { mib: 'count' }, ['mib']),
  'sched-credit2': shape('guest', { weight: 'count', cap: 'count' }),
  trigger: shape('guest', { event: 'text' }, ['event']),
  sysrq: shape('guest', { key: 'text' }, ['key']),
  migrate: shape('guest', { to: 'text', paused: 'truth' }, ['to']),
  'block-attach': shape('guest', { disk: 'text' }, ['disk']),
  'block-detach': shape('guest', { disk: 'text', force: 'truth' }, ['disk']),
  'block-list': shape('guest'),
  'network-attach': shape('guest', { card: 'text' }),
  'network-detach': shape('guest', { card: 'text' }, ['card']),
  'network-list': shape('guest'),
  'pci-attach': shape('guest', { device: 'text' }, ['device']),
  'pci-detach': shape('guest', { device: 'text', force: 'truth' }, ['device']),
  'pci-list': shape('guest'),
  'pci-assignable-add': shape('device', { name: 'text' }),
  'pci-assignable-remove': shape('device'),
  'pci-assignable-list': shape('nothing'),
  'label-pci': shape('device', { label: 'text' }, ['label']),
  console: shape('guest', { number: 'count' }),
  'debug-keys': shape('nothing', { keys: 'text' }, ['keys']),
  'vm-list': shape('nothing'),
  domid: shape('guest'),
  'host-info': shape('nothing'),
  dmesg: shape('nothing', { clear: 'truth' }),
  getenforce: shape('nothing'),
  setenforce: shape('mode'),
  'get-bool': shape('nothing'),
  'set-bool': shape('boolean', { value: 'truth' }, ['value']),
  loadpolicy: shape('policy'),
  probe: shape('guest', { write: 'truth' }),
};
