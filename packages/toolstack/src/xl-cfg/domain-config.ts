/**
 * What a guest is to be: the configuration that xl makes of an xl.cfg file.
 *
 * Follows Xen `tools/libs/light/libxl_types.idl`, `libxl_domain_config`, as far as xl fills it from a file.
 * Texts hold one character per byte.
 *
 * @module
 */
import type { Origin, SourceText } from '@dewar/policy/text';
import type { JsonValue } from './json.ts';
import type { Guest } from './key-table.ts';
import type { LabelKey } from './known-keys.ts';
import type { XlValue } from './settings.ts';

/** A label as the file gives it; Xen finds out whether the policy knows it. */
export interface LabelValue {
  readonly text: string;
  readonly key: LabelKey;
  readonly origin: Origin;
}

/**
 * The labels of a guest.
 *
 * With `init_seclabel` the guest is built under that label and relabelled to `seclabel` at the end. Without it
 * the guest is built under `seclabel`, keeps it, and `run` is undefined.
 */
export interface Labels {
  /** The label under which the guest is created and built; libxl's `ssid_label`. Without it, that of the initial SID domU. */
  readonly build: LabelValue | undefined;
  /** The label that it gets once it is built; libxl's `exec_ssid_label`. Without it there is no relabel. */
  readonly run: LabelValue | undefined;
  /** The label of the stub domain; libxl's `device_model_ssid_label`. Without it, that of the initial SID domDM. */
  readonly deviceModel: LabelValue | undefined;
}

/** The label that the guest runs under, if the file gives one. */
export function runningLabel(labels: Labels): LabelValue | undefined {
  return labels.run ?? labels.build;
}

/** One entry of a list of devices, as it was written. */
export interface DeviceSpec {
  readonly text: string;
  readonly origin: Origin;
}

/** One entry that was read. */
export interface Device extends DeviceSpec {
  /** The members of libxl's structure for the device, without those that have their default, in libxl's order. */
  readonly members: readonly (readonly [name: string, value: JsonValue])[];
}

/** The devices of a guest, each list in the order of the file. */
export interface Devices {
  /** `disk` */
  readonly disks: readonly Device[];
  /** `vif` */
  readonly vifs: readonly Device[];
  /** `pci` */
  readonly pciDevices: readonly Device[];
  /** `dtdev` */
  readonly treeDevices: readonly Device[];
  /** `vfb` */
  readonly frameBuffers: readonly Device[];
  /** `vkb` */
  readonly keyboards: readonly Device[];
  /** `vtpm` */
  readonly tpms: readonly Device[];
  /** `p9` */
  readonly sharedFolders: readonly Device[];
  /** `vdispl` */
  readonly displays: readonly Device[];
  /** `pvcalls` */
  readonly sockets: readonly Device[];
  /** `vsnd`; what was written of one is a list of lists. */
  readonly soundCards: readonly Device[];
  /** `channel` */
  readonly channels: readonly Device[];
  /** `usbctrl` */
  readonly usbControllers: readonly Device[];
  /** `usbdev` */
  readonly usbDevices: readonly Device[];
}

/** The values of `on_poweroff`, `on_reboot` and the like. XEN: `tools/xl/xl_parse.c`, `action_on_shutdown_names`. */
export const SHUTDOWN_ACTIONS = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
  'soft-reset',
] as const;

/** What xl does when a guest has stopped. */
export type ShutdownAction = (typeof SHUTDOWN_ACTIONS)[number];

/** What to do for each reason that a guest stops. */
export interface ShutdownActions {
  readonly poweroff: ShutdownAction;
  readonly reboot: ShutdownAction;
  readonly watchdog: ShutdownAction;
  readonly crash: ShutdownAction;
  readonly softReset: ShutdownAction;
}

/** The value of a key that `DomainConfig` has no field for. */
export type KeyValue =
  | { readonly kind: 'text'; readonly text: string; readonly origin: Origin }
  | { readonly kind: 'number'; readonly value: bigint; readonly origin: Origin }
  | { readonly kind: 'flag'; readonly value: boolean; readonly origin: Origin }
  | { readonly kind: 'list'; readonly items: readonly XlValue[]; readonly origin: Origin };

/** A guest, ready to be created. What is undefined was not given; libxl then decides. */
export interface DomainConfig extends Devices {
  readonly source: SourceText;
  readonly name: string;
  readonly guest: Guest;
  /** As libxl prints it. Without one, a random UUID is taken when the domain is created. */
  readonly uuid: string | undefined;
  readonly labels: Labels;
  /** Memory at the start, in KiB. */
  readonly memoryKib: number | undefined;
  /** The most memory, in KiB. */
  readonly maxMemoryKib: number | undefined;
  /** Virtual CPUs online at the start. */
  readonly vcpus: number | undefined;
  /** The most virtual CPUs; 0 leaves it to libxl. */
  readonly maxVcpus: number;
  readonly kernel: string | undefined;
  readonly ramdisk: string | undefined;
  readonly cmdline: string | undefined;
  readonly actions: ShutdownActions;
  readonly pool: string | undefined;
  /** The guest must not be migrated (`nomigrate`). */
  readonly refusesMigration: boolean | undefined;
  readonly isDriverDomain: boolean | undefined;
  /** Memory is set aside before it is given to the guest (`claim_mode` of xl.conf). */
  readonly claimsMemory: boolean;
  /** The device model runs in a stub domain. */
  readonly hasStubdomain: boolean | undefined;
  /** All other keys that have an effect on this guest. */
  readonly rest: ReadonlyMap<string, KeyValue>;
  /** Members of libxl's structures that follow from `rest` and xl.conf, by path; for `printDomainConfigJson`. */
  readonly members: ReadonlyMap<string, JsonValue>;
}
