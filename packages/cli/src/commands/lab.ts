/**
 * `dewar lab`: the simulated hosts themselves.
 *
 * @module
 */
import { type IommuKind, LabError, type LabSlot, type RunningHost, readDeviceFile } from '@dewar/lab';
import { type Diagnostic, hasErrors, SourceText } from '@dewar/policy/text';
import { sbdfText } from '@dewar/toolstack';
import { EXIT, RequestError, UsageError } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { type HostChoice, isReservedName, noSuchHost, openLab } from '../host-session.ts';
import { displayPath, readPolicy, sha256 } from '../policy-input.ts';
import { jsonText } from '../report-json.ts';
import { byteText, coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';

export interface LabNewFlags extends HostChoice {
  readonly isJson: boolean;
  /** Memory of the host, dom0's included. */
  readonly memoryMib: number | undefined;
  /** A file of its PCI devices. */
  readonly devices: string | undefined;
}

/** A host for a listing. */
interface HostRow {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly xen?: string;
  readonly flask?: string;
  readonly memoryMib?: number;
  readonly guests?: number;
  readonly iommu?: IommuKind;
  /** Addresses of its PCI devices. */
  readonly devices?: readonly string[];
  readonly policy?: string;
  readonly fault?: string;
}

function flaskWord({ hypervisor }: RunningHost): string {
  const { mode, isEnforcing, isLoaded } = hypervisor.flask;
  if (mode === 'disabled') return 'disabled';
  if (!isLoaded) return 'no policy';
  return isEnforcing ? 'enforcing' : 'permissive';
}

function rowOf(name: string, isCurrent: boolean, running: RunningHost): HostRow {
  const { hypervisor, policy } = running;
  return {
    name,
    isCurrent,
    xen: hypervisor.release,
    flask: flaskWord(running),
    memoryMib: hypervisor.memoryMib,
    guests: hypervisor.domainCount - 1,
    iommu: hypervisor.iommu,
    devices: hypervisor.pciDevices().map(({ sbdf }) => sbdfText(sbdf)),
    policy: policy.name,
  };
}

/** What a host is booted with, beside its policy. */
type BootOptions = NonNullable<Parameters<LabSlot['boot']>[1]>;

/** The devices of a file; undefined where it is not sound. */
function readDevices(path: string, terminal: Terminal): BootOptions['devices'] {
  const found: Diagnostic[] = [];
  const source = new SourceText(byteText(displayPath(path)), readLatin1(path));
  const devices = readDeviceFile(source, (one) => found.push(one));
  printDiagnostics(terminal, found);
  return hasErrors(found) ? undefined : devices;
}

/** Boots a host of the user's own; one of that name must not exist. */
export async function runLabNew(name: string, flags: LabNewFlags, terminal: Terminal): Promise<number> {
  const lab = await openLab(terminal);
  const { policy: named, release, flask, iommu, memoryMib } = flags;
  if (isReservedName(name)) throw new UsageError(`\`--host ${name}\` means another host: take another name`);
  if (lab.names().includes(name)) {
    throw new UsageError(`there is a simulated host \`${name}\` already: \`dewar lab rm ${name}\` removes it`);
  }
  const policy = await readPolicy(named, release === undefined ? {} : { release });
  printDiagnostics(terminal, policy.diagnostics);
  if (policy.errorOutput !== '') print(terminal.err, policy.errorOutput);
  const { bytes } = policy;
  if (bytes === undefined || hasErrors(policy.diagnostics)) return EXIT.problem;
  const devices = flags.devices === undefined ? undefined : readDevices(flags.devices, terminal);
  if (flags.devices !== undefined && devices === undefined) return EXIT.problem;
  const options = {
    ...(flask === undefined ? {} : { flask }),
    ...(iommu === undefined ? {} : { iommu }),
    ...(devices === undefined ? {} : { devices }),
    ...(release === undefined ? {} : { release }),
    ...(memoryMib === undefined ? {} : { memoryMib }),
  };
  return lab.transact(name, async (slot) => {
    if (slot.running !== undefined) throw new UsageError(`there is a simulated host \`${name}\` already`);
    const booted = slot.boot({ name: policy.name, bytes, sha256: sha256(bytes) }, options);
    if ('refused' in booted) {
      throw new RequestError(`Xen does not start with the policy \`${policy.name}\`: ${booted.refused}`);
    }
    if (booted.policyRefused !== undefined) {
      const colours = coloursFor(terminal.err);
      const words = `Xen did not take the policy \`${policy.name}\` and allows everything: ${booted.policyRefused}`;
      printLine(terminal.err, `${colours.warning('warning:')} ${words}`);
    }
    const row = rowOf(name, true, booted);
    if (flags.isJson) print(terminal.out, jsonText(row));
    else printLine(terminal.out, `${name}: Xen ${row.xen}, ${row.flask}, ${row.memoryMib} MiB, policy ${row.policy}`);
    return EXIT.done;
  });
}

/** Lists the hosts; one that cannot be read is in the list, with the reason. */
export async function runLabList(isJson: boolean, terminal: Terminal): Promise<number> {
  const lab = await openLab(terminal);
  const { current } = lab;
  const rows: HostRow[] = [];
  for (const name of lab.names()) {
    const isCurrent = name === current;
    try {
      const row = await lab.look(name, (running) => rowOf(name, isCurrent, running));
      // Somebody may have removed it just now.
      if (row !== undefined) rows.push(row);
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      rows.push({ name, isCurrent, fault: error.message });
    }
  }
  if (isJson) print(terminal.out, jsonText(rows));
  else {
    const wide = Math.max(4, ...rows.map(({ name }) => name.length));
    printLine(terminal.out, `  ${'NAME'.padEnd(wide)}  XEN     FLASK       MEMORY  GUESTS  POLICY`);
    for (const { name, isCurrent, xen = '', flask = '', memoryMib, guests, policy, fault } of rows) {
      const columns = [xen.padEnd(6), flask.padEnd(10), String(memoryMib).padStart(7), String(guests).padStart(7)];
      const rest = fault ?? `${columns.join('  ')}  ${policy}`;
      printLine(terminal.out, `${isCurrent ? '*' : ' '} ${name.padEnd(wide)}  ${rest}`);
    }
  }
  return rows.some(({ fault }) => fault !== undefined) ? EXIT.world : EXIT.done;
}

/** Forgets hosts, up to the first that does not exist. */
export async function runLabRemove(names: readonly string[], terminal: Terminal): Promise<number> {
  const lab = await openLab(terminal);
  for (const name of names) {
    if (!(await lab.remove(name))) throw noSuchHost(lab, name);
    printLine(terminal.err, `removed the simulated host \`${name}\``);
  }
  return EXIT.done;
}
