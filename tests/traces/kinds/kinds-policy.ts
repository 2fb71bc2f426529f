/**
 * The policy under which kinds of guests were recorded, and hosts that boot it.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type BootOptions, Hypervisor } from '@dewar/hypervisor';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { DOM0, type Domid, LibxlHost, type OperationReport } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';

const own = new URL('./policy/', import.meta.url);
const example = new URL('../../../policies/example/', import.meta.url);

/** Our modules and initial SIDs, with the macros and the support files of the example policy. */
function placeOf(path: string): URL {
  const mine = new URL(path, own);
  return existsSync(mine) ? mine : new URL(path, example);
}

function filesWith(rules: (text: string) => string): PolicyFiles {
  return {
    readText: (path) => {
      if (path.endsWith('.te') && !existsSync(new URL(path, own))) return undefined;
      const file = placeOf(path);
      if (!existsSync(file)) return undefined;
      const text = readFileSync(file, 'latin1');
      return path.endsWith('.te') ? rules(text) : text;
    },
    listNames: (folder) => (existsSync(placeOf(folder)) ? readdirSync(placeOf(folder)) : []),
    describe: (path) => path,
  };
}

/** The policy as bytes; `rules` may change its one module. */
export function kindsPolicy(rules: (text: string) => string = (text) => text): Uint8Array {
  const { bytes, diagnostics } = compileDirectory(filesWith(rules));
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return bytes;
}

/** The device that was handed to guests while they were recorded: an emulated RTL 8139. */
export const RECORDED_DEVICE = {
  sbdf: 0x28,
  ports: [{ first: 0xc000, count: 0x100 }],
  frames: [
    { first: 0xfebd1, count: 1 },
    { first: 0xfeb80, count: 0x40 },
  ],
  irq: 21,
} as const;

/**
 * Labels the device as it was labelled on the recorded host. Its interrupt line had another number then, 10: dom0 set it
 * up only when it was set aside, so that the line itself stayed `irq_t`.
 */
export async function labelRecorded({ hypervisor, host }: KindsHost): Promise<void> {
  const label = 'system_u:object_r:nic_dev_t';
  const labelled = await host.labelPci('0000:00:05.0', label);
  const irq = BigInt(RECORDED_DEVICE.irq);
  const args = { kind: 'pirq', low: irq, high: irq } as const;
  const taken = hypervisor.call({ domid: DOM0, process: 'flask tools' }, 'xsm_op.del_ocontext', args);
  if (labelled.outcome !== 'done' || taken.kind !== 'ok') throw new Error('the device cannot be labelled');
}

/** A host like the recorded one. */
export interface KindsHost {
  readonly hypervisor: Hypervisor;
  readonly host: LibxlHost;
}

export function bootKinds(options: BootOptions = {}, policy: Uint8Array = kindsPolicy()): KindsHost {
  const boot = Hypervisor.boot({ policy, devices: [RECORDED_DEVICE], ...options });
  if (boot.kind === 'refused') throw new Error(boot.reason);
  return { hypervisor: boot.hypervisor, host: new LibxlHost(boot.hypervisor) };
}

/** A configuration of the recordings. */
export function recordedGuest(name: string): DomainConfig {
  return guestOf(readFileSync(new URL(`./record/guests/${name}.cfg`, import.meta.url), 'latin1'));
}

/** The same, of a guest that may be given PCI devices later. */
export function withPassthrough(name: string): DomainConfig {
  const text = readFileSync(new URL(`./record/guests/${name}.cfg`, import.meta.url), 'latin1');
  return guestOf(`${text}passthrough = "enabled"\n`);
}

export function guestOf(text: string): DomainConfig {
  const { config, diagnostics } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return config;
}

/** What the recordings leave out; their headers say so. */
const NOT_RECORDED = new Set(['domain destroy', 'event send', 'event status', 'event reset', 'mmu pageinfo']);

function typeOf(context: string): string {
  return context.split(':')[2] ?? context;
}

function isRecorded(domid: Domid, klass: string, permissions: string, source: string, target: string): boolean {
  if (NOT_RECORDED.has(`${klass} ${permissions}`)) return false;
  const isDom0 = source === 'dom0_t';
  if (isDom0 && target === 'dom0_t') return klass === 'domain' || klass === 'domain2' || klass === 'resource';
  if (isDom0 && (klass === 'version' || klass === 'xen') && permissions.includes('console')) return false;
  if (isDom0 && klass === 'version') return false;
  // A guest's work on its own memory, and PV domains that dom0 fills.
  const isGuest = /^(?:guest|moved)_t(?:_building)?$/.test(target);
  if (klass === 'mmu' && domid !== 0) return /^(?:guest|moved)_t/.test(target) && !/^(?:guest|moved)_t$/.test(source);
  return klass !== 'mmu' || isGuest || !/map_|mmuext_op|updatemp/.test(permissions);
}

/** All checks of a report in order, equal neighbours once. */
export function checksOf({ timeline }: OperationReport<unknown>): string[] {
  const lines: string[] = [];
  for (const { checks, domid, name, count } of timeline.flatMap((step) => step.hypercalls)) {
    // Its accesses to the configuration space are not in the recordings.
    if (name === 'pci_config.access') continue;
    const times = checks.length > 1 ? count : 1;
    for (let i = 0; i < times; i++) {
      for (const check of checks) {
        const permissions = check.permissions.join(' ');
        const [source, target] = [typeOf(check.source), typeOf(check.target)];
        if (!isRecorded(domid, check.class, permissions, source, target)) continue;
        if (check.class === 'mmu' && /mmuext_op|updatemp/.test(permissions)) continue;
        const line = `${check.class} { ${permissions} } ${source} ${target}`;
        if (lines.at(-1) !== line) lines.push(line);
      }
    }
  }
  return lines;
}

/** A recording. */
export function golden(name: string): string[] {
  const text = readFileSync(new URL(`./golden/${name}.txt`, import.meta.url), 'latin1');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Without what libxl repeats for as long as it waits for an answer of QEMU: a look at the guest, and at its label. */
export function withoutPolls(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (const line of lines) {
    const isPair = line === kept.at(-2) && kept.at(-1)?.startsWith('security { check_context }') === true;
    if (isPair && line.startsWith('domain { getdomaininfo }')) kept.splice(-2, 2);
    kept.push(line);
  }
  return kept;
}

/** Each check once, in no order: for operations in which several programs act at the same time. */
export function withoutOrder(lines: readonly string[]): string[] {
  return [...new Set(lines)].sort();
}
