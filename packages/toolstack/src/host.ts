/**
 * `Host`: what a person may ask of a Xen host, and the report that comes back.
 *
 * Simulated and real hosts both implement it. Every operation gives an `OperationReport`: a refusal is an answer,
 * never an exception.
 *
 * Imports: `@dewar/policy/text`, `./hypercalls.ts`, `./xl-cfg/`.
 * Start reading at `Host` and `OperationReport`.
 *
 * @module
 */
import type { Diagnostic } from '@dewar/policy/text';
import type { Sbdf } from './device-hypercalls.ts';
import type { BooleanState, Domid, Errno, ObservedCheck, OpenMapping, Process, ShutdownReason } from './hypercalls.ts';
import type { DomainConfig, JsonObject } from './xl-cfg/index.ts';

/** Some equal hypercalls in a row, made by one program, with the checks that one of them caused. */
export interface HypercallRecord {
  readonly domid: Domid;
  readonly process: Process;
  /** As in `HypercallTable`; on a real host, where only Xen's log tells of the checks, just `hypercall`. */
  readonly name: string;
  /** The domain that it was about, if it was about one; undefined too where a program looked at one guest after the other. */
  readonly targetDomid: Domid | undefined;
  readonly result: 'ok' | Errno;
  /** How many times it was made in a row, with the same checks and the same result. */
  readonly count: number;
  readonly checks: readonly CheckRecord[];
}

/**
 * A check, and how often it was made in this hypercall: a continuation makes it again, a list of domains for each. Granted
 * ones between the same labels are one, which is then about no domain in particular.
 */
export interface CheckRecord extends ObservedCheck {
  readonly count: number;
}

/** One step of an operation, in words. */
export interface TimelineStep {
  readonly title: string;
  readonly process: Process;
  readonly outcome: 'done' | 'failed' | 'ignored-failure';
  readonly hypercalls: readonly HypercallRecord[];
}

/** A domain changed its label. */
export interface LabelChange {
  readonly domid: Domid;
  readonly from: string;
  readonly to: string;
  /** Index of the step in the timeline. */
  readonly step: number;
  /** Pages that others had mapped when the label changed. The change revokes none of them. */
  readonly openMappings: readonly OpenMapping[];
}

/** How a domain stands. */
export interface DomainState {
  readonly domid: Domid;
  /** Undefined when xenstore has none: a domain that was given up has lost it. */
  readonly name: string | undefined;
  readonly uuid: string;
  /** Undefined when the caller may not ask for it. */
  readonly label: string | undefined;
  readonly memoryMib: number;
  readonly vcpus: number;
  /** `shutdown`: the guest has stopped by itself, and nobody has cleaned up yet. */
  readonly state: 'running' | 'paused' | 'shutdown' | 'dying';
  /** Why it stopped, if it did. */
  readonly shutdownReason: ShutdownReason | undefined;
  /** dom0 was refused when it destroyed it: it has lost its name, and stays until that is allowed. */
  readonly isStranded: boolean;
  /** It waits for something; a real host can tell. */
  readonly isBlocked?: boolean;
  /** CPU time that it used; a real host can tell. */
  readonly cpuSeconds?: number;
  /** The NUMA nodes that it had better run on, where they were asked for: `all`, `0-1`, `none`. */
  readonly nodes?: string;
}

/** A domain, and its configuration as it stands. */
export interface DomainConfiguration {
  readonly domid: Domid;
  /** XEN: `libxl_domain_config` as JSON. */
  readonly config: JsonObject;
}

/** Which domains are listed, and with what. */
export interface ListOptions {
  /** One domain, by its name or number. */
  readonly domain?: string | undefined;
  /** With their NUMA nodes, for which Xen is asked once more (`xl list -n`). */
  readonly withNodes?: boolean;
}

/** How a xenstore domain is made. */
export interface XenstoreDomainOptions {
  /** Without one, that of the initial SID domU. */
  readonly label?: string | undefined;
  readonly memoryMib: number;
  /** What it may grow to: `MIB`, `A/B` of the host's memory, or both with a colon, for the larger. Without, no more. */
  readonly maxMemory?: string | undefined;
  /** Its kernel starts in an HVM container; a real host sees that from the kernel. */
  readonly isPvh?: boolean;
  /** Files of dom0; a real host needs the first, and a simulated domain has no kernel. */
  readonly kernel?: string | undefined;
  readonly ramdisk?: string | undefined;
  /** Words for the command line of its kernel, after `--event` and the port of dom0. */
  readonly param?: string | undefined;
  /** Without one, `Xenstore`. */
  readonly name?: string | undefined;
  readonly uuid: string;
}

/** A PCI device that dom0 has set aside for guests. */
export interface AssignableDevice {
  readonly sbdf: Sbdf;
  readonly name: string | undefined;
}

/** A PCI device of a guest, and the slot in which the guest sees it. */
export interface GuestPciSlot {
  readonly sbdf: Sbdf;
  readonly slot: number;
}

/** A disk of a guest, for `xl block-list`; -1 stands for what the guest has not written into xenstore. */
export interface GuestDisk {
  readonly domid: Domid;
  /** libxl's number of it. */
  readonly devid: number;
  readonly backend: Domid;
  /** How the guest's side stands. Xen `XenbusState`. */
  readonly state: number;
  readonly eventChannel: number;
  readonly ringRef: number;
  /** Where xenstore has the side that serves it. */
  readonly backendPath: string;
}

/** A network card of a guest, for `xl network-list`. */
export interface GuestNic extends Omit<GuestDisk, 'ringRef'> {
  readonly mac: string;
  readonly txRingRef: number;
  readonly rxRingRef: number;
}

/** The consoles that xl can attach to. */
export const CONSOLE_TYPES = ['pv', 'serial', 'vuart'] as const;

/** Which console of a guest; without a type, its first one (`xl console -t TYPE -n NUMBER`). */
export interface ConsoleChoice {
  readonly type?: (typeof CONSOLE_TYPES)[number];
  readonly number?: number;
}

/** A console that was found: of the guest, or of the stub domain that stands for its serial line. */
export interface GuestConsole {
  readonly domid: Domid;
  readonly type: (typeof CONSOLE_TYPES)[number];
  readonly number: number;
  /** What a simulated guest shows; each line says that it is simulated. */
  readonly text: string;
}

/** What was asked of the host. */
export type OperationName =
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
  | 'migrate'
  | 'migrate-receive'
  | 'vcpu-list'
  | 'vcpu-pin'
  | 'vcpu-set'
  | 'mem-set'
  | 'mem-max'
  | 'sched-credit2'
  | 'trigger'
  | 'sysrq'
  | 'console'
  | 'debug-keys'
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
  | 'init-xenstore-domain'
  | 'vm-list'
  | 'domid'
  | 'domname'
  | 'info'
  | 'dmesg'
  | 'getenforce'
  | 'setenforce'
  | 'booleans'
  | 'set-boolean'
  | 'load-policy'
  | 'probe-foreign-map';

/** What happened. */
export interface OperationReport<T = undefined> {
  readonly operation: OperationName;
  readonly outcome: 'done' | 'failed';
  /** The exit status that xl 4.17 would have. xl says 0 for a pause or an unpause that was denied. */
  readonly xlExitCode: number;
  /** What xl, libxl and libxc would print on stderr. */
  readonly xlMessages: readonly string[];
  readonly value: T | undefined;
  readonly timeline: readonly TimelineStep[];
  readonly labelChanges: readonly LabelChange[];
  /** The domain that it was about, as it stands afterwards; undefined when it is gone or never was. */
  readonly domain: DomainState | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** How a guest is created, beside its configuration. */
export interface CreateOptions {
  /** Leave the guest paused (`xl create -p`). */
  readonly paused?: boolean;
  /** Nobody stays behind to clean up when the guest ends (`xl create -e`). */
  readonly unwatched?: boolean;
  /** The UUID to use when the configuration names none; randomness comes from outside. */
  readonly uuid: string;
  /**
   * What to do when others have pages of the guest mapped at the moment of the relabel, which revokes nothing: `warn` (the
   * default) reports them; `refuse` ends the build before the relabel. The rings of the console and of xenstore, which
   * every guest shares by grants of its own, are reported and do not count.
   */
  readonly onResidual?: 'warn' | 'refuse';
  /**
   * Attach to the guest's console before it starts (`xl create -c`). A simulated guest has it called once it was started, with
   * what the console shows then; a real one has the terminal of this process, as with `Host.console`, and nothing is called.
   */
  readonly onConsole?: (console: GuestConsole) => void;
}

/** What dump-core wrote down of a guest. */
export interface CoreDump {
  readonly domid: Domid;
  readonly pages: number;
  readonly vcpus: number;
  readonly addressSize: 32 | 64;
  /** The size of the file; undefined on a simulated host, which writes none. */
  readonly bytesWritten?: number;
}

/** How a guest is restored. */
export interface RestoreOptions extends CreateOptions {
  /** Takes the place of the configuration in the save file, its labels included. */
  readonly config?: DomainConfig;
  /** The file of that configuration, and what xl says of it. */
  readonly configFile?: { readonly name: string; readonly says: readonly string[] };
  /** What messages call the file. */
  readonly file?: string;
}

/**
 * A guest on its way to another host, or to another time: plain JSON. Labels are in it as text, and are resolved
 * anew where it is restored.
 */
export interface SavedGuest {
  readonly format: 'dewar-saved-guest';
  readonly version: 1;
  readonly config: Readonly<Record<string, unknown>>;
  readonly pages: number;
  readonly onlineVcpus: readonly number[];
  /** Of an HVM container, what is not 0, by Xen's names of the parameters. */
  readonly hvmParams?: Readonly<Record<string, number>>;
}

/** How a guest is saved. */
export interface SaveOptions {
  /** The guest goes on afterwards (`xl save -c`). */
  readonly checkpoint?: boolean;
  /** It goes on, but paused (`xl save -p`). */
  readonly leavePaused?: boolean;
  /** What messages call the file. */
  readonly file?: string;
}

/** How a guest is asked to stop. */
export interface StopOptions {
  /** Say what became of it (`-w`); with `death`, wait until it is destroyed, too (`-w` twice). */
  readonly wait?: boolean | 'death';
  /** Press the button of an HVM guest that takes no requests (`-F`). */
  readonly force?: boolean;
}

/** How a guest goes to another host. */
export interface MigrateOptions {
  /** Takes the place of the configuration that libxl stored, its labels included (`xl migrate -C`). */
  readonly config?: DomainConfig;
  /** The guest arrives paused (`xl migrate -p`). */
  readonly paused?: boolean;
  /** The UUID to use on the target when the configuration names none. */
  readonly uuid: string;
}

/** What happened on either side of a migration. */
export interface Migration {
  readonly source: OperationReport;
  /** Undefined when it never began there. */
  readonly target: OperationReport | undefined;
}

/** One vCPU. */
export interface VcpuState {
  readonly domid: Domid;
  readonly name: string | undefined;
  readonly vcpu: number;
  readonly isOnline: boolean;
  readonly isRunning: boolean;
  /** It waits for something; a real host can tell. */
  readonly isBlocked?: boolean;
  /** CPU time that it used; a real host can tell. */
  readonly cpuSeconds?: number;
  readonly cpu: number;
  /** Physical CPUs, as xl prints them: `all`, `0-1`, `none`. */
  readonly hard: string;
  readonly soft: string;
}

/** What the scheduler keeps of a domain. */
export interface SchedulerState {
  readonly domid: Domid;
  readonly name: string | undefined;
  readonly weight: number;
  readonly cap: number;
}

/** A host as `xl info` shows it. */
export interface HostInfo {
  readonly release: string;
  readonly extraVersion: string;
  readonly scheduler: string;
  readonly cpus: number;
  readonly totalMib: number;
  readonly freeMib: number;
}

/** What dom0 learned when it tried to map one page of a guest. */
export interface ForeignMapProbe {
  readonly domid: Domid;
  readonly access: 'read' | 'read-write';
  readonly outcome: 'mapped' | 'denied';
  readonly avcLine: string | undefined;
  /** What could be read, in words; a simulated guest has no content. */
  readonly content?: string;
}

/** What xl asks of a host. A domain is named, or given by its number. */
export interface Host {
  /** Builds a guest and, unless asked not to, starts it. */
  create(config: DomainConfig, options: CreateOptions): Promise<OperationReport>;
  /** The domains that the caller may see; or one, which there has to be. */
  list(options?: ListOptions): Promise<OperationReport<readonly DomainState[]>>;
  /** The configurations of the domains, or of one (`xl list -l`). One that libxl has none of is left out, with a message. */
  listLong(domain?: string): Promise<OperationReport<readonly DomainConfiguration[]>>;
  /** Stops a guest until it is unpaused. */
  pause(domain: string): Promise<OperationReport>;
  /** Lets a paused guest run. */
  unpause(domain: string): Promise<OperationReport>;
  /** Ends a guest at once. */
  destroy(domain: string): Promise<OperationReport>;
  /** `file` is what messages call the core. */
  dumpCore(domain: string, file?: string): Promise<OperationReport<CoreDump>>;
  /** Asks a guest to power off. */
  shutdown(domain: string, options?: StopOptions): Promise<OperationReport>;
  /** Asks a guest to reboot. What is built in its place is built under the first label again. */
  reboot(domain: string, options?: StopOptions): Promise<OperationReport>;
  /** Writes a guest down and, unless asked not to, ends it. */
  save(domain: string, options?: SaveOptions): Promise<OperationReport<SavedGuest>>;
  /** Builds a guest from what was written down; `saved` comes from a file and is looked at. */
  restore(saved: unknown, options: RestoreOptions): Promise<OperationReport>;
  /** The vCPUs of a domain, or of all. */
  vcpuList(domain?: string): Promise<OperationReport<readonly VcpuState[]>>;
  /** Says on which physical CPUs a vCPU, or `all`, may run: `0-1,^1`, `all`, or `-` for no change. */
  vcpuPin(domain: string, vcpu: string, hard: string, soft?: string): Promise<OperationReport>;
  /** How many of its vCPUs a guest is to use; without `ignoreHost` no more than the host has CPUs. */
  vcpuSet(domain: string, count: number, options?: { readonly ignoreHost?: boolean }): Promise<OperationReport>;
  /** How much memory a guest is to have; `text` is what messages call it. */
  memSet(domain: string, kib: number, text?: string): Promise<OperationReport>;
  /** How much memory a guest may have at most. */
  memMax(domain: string, kib: number, text?: string): Promise<OperationReport>;
  /** What the scheduler keeps of a domain, or of all; with `weight` or `cap`, after setting them. */
  schedCredit2(
    domain?: string,
    change?: { readonly weight?: number; readonly cap?: number },
  ): Promise<OperationReport<readonly SchedulerState[]>>;
  /** Sends a guest an event as hardware would. */
  trigger(domain: string, name: string, vcpu?: number): Promise<OperationReport>;
  /** Sends a guest a magic key through xenstore. */
  sysrq(domain: string, key: string): Promise<OperationReport>;
  /** The domains, for `xl vm-list`. */
  vmList(): Promise<OperationReport<readonly DomainState[]>>;
  /** The number of a domain. */
  domid(name: string): Promise<OperationReport<Domid>>;
  /** The name of a domain. */
  domname(domid: string): Promise<OperationReport<string>>;
  /** The host. */
  info(): Promise<OperationReport<HostInfo>>;
  /** Gives a guest another name. */
  rename(domain: string, newName: string): Promise<OperationReport>;
  /** The console ring of Xen, in which the avc lines are. */
  dmesg(options?: { readonly clear?: boolean }): Promise<OperationReport<string>>;
  /** Whether FLASK is enforcing. */
  getenforce(): Promise<OperationReport<boolean>>;
  /** Makes FLASK enforcing or permissive. */
  setenforce(isEnforcing: boolean): Promise<OperationReport>;
  /** The booleans of the policy. */
  booleans(): Promise<OperationReport<readonly BooleanState[]>>;
  /** Sets a boolean, at once. */
  setBoolean(name: string, value: boolean): Promise<OperationReport>;
  /** Puts another policy into force. */
  loadPolicy(bytes: Uint8Array): Promise<OperationReport>;
  /** Gives a disk to a guest that exists; its parts stand in one word, as in `disk` of a configuration, or in more. */
  blockAttach(domain: string, words: readonly string[]): Promise<OperationReport>;
  /** Takes a disk back, by its name in the guest; with `force`, whether or not the guest lets go of it. */
  blockDetach(domain: string, disk: string, options?: { readonly force?: boolean }): Promise<OperationReport>;
  /** The disks of guests; a domain that there is not is passed over with a message. */
  blockList(domains: readonly string[]): Promise<OperationReport<readonly GuestDisk[]>>;
  /** Gives a network card to a guest that exists; each word is a part of an entry of `vif`. */
  networkAttach(domain: string, words: readonly string[]): Promise<OperationReport>;
  /** Takes a network card back, by its number or by its address. */
  networkDetach(domain: string, card: string): Promise<OperationReport>;
  /** The network cards of guests, up to the first domain that there is not. */
  networkList(domains: readonly string[]): Promise<OperationReport<readonly GuestNic[]>>;
  /**
   * Attaches to a console. On a real host the terminal of this process is the guest's until the person leaves it (`Ctrl-]`)
   * or the guest ends. A simulated guest writes nothing that it would wait for.
   */
  console(domain: string, choice?: ConsoleChoice): Promise<OperationReport<GuestConsole>>;
  /** Sends debug keys to Xen, which answers in its console ring. */
  debugKeys(keys: string): Promise<OperationReport>;
  /** Gives a PCI device to a guest that exists; `spec` as in `pci` of a configuration. */
  pciAttach(domain: string, spec: string): Promise<OperationReport>;
  /** Takes one back; with `force`, whether or not the guest lets go of it. */
  pciDetach(domain: string, spec: string, options?: { readonly force?: boolean }): Promise<OperationReport>;
  /** The PCI devices of a guest. */
  pciList(domain: string): Promise<OperationReport<readonly GuestPciSlot[]>>;
  /** Takes a device from the drivers of dom0 and sets it aside for guests. */
  pciAssignableAdd(device: string, name?: string): Promise<OperationReport>;
  /**
   * Gives it back; a device is named, or given by its address. With `rebind`, to the driver that it was taken from; a
   * simulated dom0 has no other drivers.
   */
  pciAssignableRemove(device: string, options?: { readonly rebind?: boolean }): Promise<OperationReport>;
  /** The devices that are set aside and free. */
  pciAssignableList(): Promise<OperationReport<readonly AssignableDevice[]>>;
  /**
   * Labels a device with its ports, frames and interrupt line (`flask-label-pci`); the line gets a label of its own with
   * `irqLabel`. Xen keeps these labels until a policy is loaded, and takes no second label for what has one.
   */
  labelPci(device: string, label: string, irqLabel?: string): Promise<OperationReport>;
  /** Makes a domain that takes xenstored's place (`init-xenstore-domain`); the host's own program does it on a real one. */
  initXenstoreDomain(options: XenstoreDomainOptions): Promise<OperationReport>;
  /**
   * Tries to map one page of the guest, and gives it back at once. It is dom0 that tries, or the domain that `by` names,
   * which only a simulated host can have do it.
   */
  probeForeignMap(
    domain: string,
    access?: 'read' | 'read-write',
    by?: string,
  ): Promise<OperationReport<ForeignMapProbe>>;
}
