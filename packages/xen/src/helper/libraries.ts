/**
 * The functions of the host's own libraries, as koffi calls them.
 *
 * libxenlight and libxenctrl have a file name of their own for each release of Xen. No structure is laid out here:
 * libxl reads and writes all of its structures as JSON, and their sizes are measured.
 *
 * Follows: Xen `tools/include/libxl.h`, `xenctrl.h`, `xenforeignmemory.h`, `xenstore.h`, `xentoollog.h`.
 * Start reading at `openLibraries`.
 *
 * @module
 */
import type koffiModule from 'koffi';
import type { LibraryHandle } from 'koffi';
import { CallFault } from '../call-fault.ts';

type Koffi = typeof koffiModule;

/** Room for any structure of libxl; the largest has 1288 bytes at 4.17. */
const STRUCTURE_ROOM = 64 * 1024;

/** What is called, by library. The types are those of the releases from 4.14 on, but for `CHANGED`. */
const FUNCTIONS = {
  xenlight: [
    'int libxl_ctx_alloc(_Out_ void **ctx, int version, unsigned int flags, void *logger)',
    'int libxl_fd_set_cloexec(void *ctx, int fd, int on)',
    'int libxl_fd_set_nonblock(void *ctx, int fd, int on)',
    'void libxl_domain_config_init(void *p)',
    'void libxl_domain_config_dispose(void *p)',
    'int libxl_domain_config_from_json(void *ctx, void *p, const void *json)',
    'void *libxl_domain_config_to_json(void *ctx, void *p)',
    'int libxl_domain_create_new(void *ctx, void *config, _Inout_ uint32_t *domid, void *how, void *progress)',
    'int libxl_domain_create_restore(void *ctx, void *config, _Inout_ uint32_t *domid, int fd, int back, void *params, void *how, void *progress)',
    'void libxl_domain_restore_params_init(void *p)',
    'int libxl_domain_restore_params_from_json(void *ctx, void *p, const void *json)',
    'void libxl_domain_restore_params_dispose(void *p)',
    'int libxl_domain_pause(void *ctx, uint32_t domid, void *how)',
    'int libxl_domain_unpause(void *ctx, uint32_t domid, void *how)',
    'int libxl_domain_destroy(void *ctx, uint32_t domid, void *how)',
    'int libxl_domain_shutdown(void *ctx, uint32_t domid, void *how)',
    'int libxl_domain_reboot(void *ctx, uint32_t domid, void *how)',
    'int libxl_domain_rename(void *ctx, uint32_t domid, const void *before, const void *after)',
    'int libxl_domain_core_dump(void *ctx, uint32_t domid, const void *file, void *how)',
    'int libxl_domain_suspend(void *ctx, uint32_t domid, int fd, int flags, void *how)',
    'int libxl_domain_resume(void *ctx, uint32_t domid, int cancel, void *how)',
    'int libxl_domain_setmaxmem(void *ctx, uint32_t domid, uint64_t kib)',
    'int libxl_set_memory_target(void *ctx, uint32_t domid, int64_t kib, int relative, int enforce)',
    'int libxl_send_trigger(void *ctx, uint32_t domid, int trigger, uint32_t vcpu, void *how)',
    'int libxl_send_sysrq(void *ctx, uint32_t domid, char key)',
    'int libxl_send_debug_keys(void *ctx, const void *keys)',
    'void libxl_device_disk_init(void *p)',
    'void libxl_device_disk_dispose(void *p)',
    'int libxl_device_disk_from_json(void *ctx, void *p, const void *json)',
    'void *libxl_device_disk_to_json(void *ctx, void *p)',
    'int libxl_device_disk_add(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_disk_remove(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_disk_safe_remove(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_disk_destroy(void *ctx, uint32_t domid, void *p, void *how)',
    'void *libxl_device_disk_list(void *ctx, uint32_t domid, _Out_ int *count)',
    'void libxl_device_disk_list_free(void *list, int count)',
    'int libxl_device_disk_getinfo(void *ctx, uint32_t domid, void *p, void *info)',
    'int libxl_vdev_to_device_disk(void *ctx, uint32_t domid, const void *vdev, void *p)',
    'void libxl_diskinfo_init(void *p)',
    'void libxl_diskinfo_dispose(void *p)',
    'void *libxl_diskinfo_to_json(void *ctx, void *p)',
    'void libxl_device_nic_init(void *p)',
    'void libxl_device_nic_dispose(void *p)',
    'int libxl_device_nic_from_json(void *ctx, void *p, const void *json)',
    'void *libxl_device_nic_to_json(void *ctx, void *p)',
    'int libxl_device_nic_add(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_nic_remove(void *ctx, uint32_t domid, void *p, void *how)',
    'void *libxl_device_nic_list(void *ctx, uint32_t domid, _Out_ int *count)',
    'void libxl_device_nic_list_free(void *list, int count)',
    'int libxl_device_nic_getinfo(void *ctx, uint32_t domid, void *p, void *info)',
    'int libxl_devid_to_device_nic(void *ctx, uint32_t domid, int devid, void *p)',
    'int libxl_mac_to_device_nic(void *ctx, uint32_t domid, const void *mac, void *p)',
    'void libxl_nicinfo_init(void *p)',
    'void libxl_nicinfo_dispose(void *p)',
    'void *libxl_nicinfo_to_json(void *ctx, void *p)',
    'void libxl_device_pci_init(void *p)',
    'void libxl_device_pci_dispose(void *p)',
    'int libxl_device_pci_from_json(void *ctx, void *p, const void *json)',
    'void *libxl_device_pci_to_json(void *ctx, void *p)',
    'int libxl_device_pci_add(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_pci_remove(void *ctx, uint32_t domid, void *p, void *how)',
    'int libxl_device_pci_destroy(void *ctx, uint32_t domid, void *p, void *how)',
    'void *libxl_device_pci_list(void *ctx, uint32_t domid, _Out_ int *count)',
    'int libxl_device_pci_assignable_add(void *ctx, void *p, int rebind)',
    'int libxl_device_pci_assignable_remove(void *ctx, void *p, int rebind)',
    'void *libxl_device_pci_assignable_list(void *ctx, _Out_ int *count)',
    'int libxl_console_exec(void *ctx, uint32_t domid, int number, int type, int notify)',
    'int libxl_primary_console_exec(void *ctx, uint32_t domid, int notify)',
    'int libxl_retrieve_domain_configuration(void *ctx, uint32_t domid, void *config, void *how)',
    'int libxl_userdata_store(void *ctx, uint32_t domid, const void *id, const void *data, int length)',
    'void libxl_dominfo_init(void *p)',
    'void libxl_dominfo_dispose(void *p)',
    'void *libxl_dominfo_to_json(void *ctx, void *p)',
    'int libxl_domain_info(void *ctx, void *p, uint32_t domid)',
    'void *libxl_list_domain(void *ctx, _Out_ int *count)',
    'void libxl_dominfo_list_free(void *list, int count)',
    'int libxl_domain_qualifier_to_domid(void *ctx, const void *name, _Out_ uint32_t *domid)',
    'void *libxl_domid_to_name(void *ctx, uint32_t domid)',
    'void libxl_vcpuinfo_init(void *p)',
    'void *libxl_vcpuinfo_to_json(void *ctx, void *p)',
    'void *libxl_list_vcpu(void *ctx, uint32_t domid, _Out_ int *count, _Out_ int *cpus)',
    'void libxl_vcpuinfo_list_free(void *list, int count)',
    'void libxl_bitmap_init(void *map)',
    'void libxl_bitmap_dispose(void *map)',
    'void libxl_bitmap_set(void *map, int bit)',
    'int libxl_bitmap_test(const void *map, int bit)',
    'int libxl_node_bitmap_alloc(void *ctx, void *map, int nodes)',
    'int libxl_domain_get_nodeaffinity(void *ctx, uint32_t domid, void *map)',
    'int libxl_cpu_bitmap_alloc(void *ctx, void *map, int bits)',
    'int libxl_set_vcpuaffinity(void *ctx, uint32_t domid, uint32_t vcpu, void *hard, void *soft)',
    'int libxl_set_vcpuaffinity_all(void *ctx, uint32_t domid, unsigned int vcpus, void *hard, void *soft)',
    'int libxl_set_vcpuonline(void *ctx, uint32_t domid, void *map, void *how)',
    'void libxl_domain_sched_params_init(void *p)',
    'void libxl_domain_sched_params_dispose(void *p)',
    'int libxl_domain_sched_params_get(void *ctx, uint32_t domid, void *p)',
    'int libxl_domain_sched_params_set(void *ctx, uint32_t domid, void *p)',
    'void *libxl_domain_sched_params_to_json(void *ctx, void *p)',
    'int libxl_domain_sched_params_from_json(void *ctx, void *p, const void *json)',
    'void libxl_physinfo_init(void *p)',
    'void libxl_physinfo_dispose(void *p)',
    'int libxl_get_physinfo(void *ctx, void *p)',
    'void *libxl_physinfo_to_json(void *ctx, void *p)',
    'void *libxl_get_version_info(void *ctx)',
    'void *libxl_version_info_to_json(void *ctx, void *p)',
    'int libxl_get_scheduler(void *ctx)',
    'const char *libxl_scheduler_to_string(int scheduler)',
  ],
  xenctrl: [
    'void *xc_interface_open(void *logger, void *dombuild_logger, unsigned int flags)',
    'int xc_readconsolering(void *xch, void *buffer, _Inout_ unsigned int *count, int clear, int incremental, _Inout_ uint32_t *index)',
    'int xc_flask_load(void *xch, void *buffer, uint32_t size)',
    'int xc_flask_context_to_sid(void *xch, void *buffer, uint32_t size, _Out_ uint32_t *sid)',
    'int xc_flask_sid_to_context(void *xch, int sid, void *buffer, uint32_t size)',
    'int xc_flask_getenforce(void *xch)',
    'int xc_flask_setenforce(void *xch, int mode)',
    'int xc_flask_getbool_byid(void *xch, int id, void *name, uint32_t size, _Out_ int *now, _Out_ int *pending)',
    'int xc_flask_setbool(void *xch, const void *name, int value, int commit)',
    'int xc_flask_access(void *xch, const void *source, const void *target, uint16_t tclass, uint32_t requested, _Out_ uint32_t *allowed, _Out_ uint32_t *decided, _Out_ uint32_t *auditallow, _Out_ uint32_t *auditdeny, _Out_ uint32_t *seqno)',
    'int xc_flask_add_device(void *xch, unsigned long device, void *label)',
    'int xc_flask_add_ioport(void *xch, unsigned long low, unsigned long high, void *label)',
    'int xc_flask_add_iomem(void *xch, unsigned long low, unsigned long high, void *label)',
    'int xc_flask_add_pirq(void *xch, unsigned int pirq, void *label)',
    'int xc_flask_relabel_domain(void *xch, uint32_t domid, uint32_t sid)',
  ],
  xenforeignmemory: [
    'void *xenforeignmemory_open(void *logger, unsigned int flags)',
    'void *xenforeignmemory_map(void *handle, uint32_t domid, int protection, size_t pages, const uint64_t *frames, _Out_ int *errors)',
    'int xenforeignmemory_unmap(void *handle, void *address, size_t pages)',
  ],
  xenstore: [
    'void *xs_open(unsigned long flags)',
    'void *xs_read(void *handle, uint32_t transaction, const void *path, _Out_ unsigned int *length)',
  ],
  xentoollog: ['void *xtl_createlogger_stdiostream(void *stream, int level, unsigned int flags)'],
  c: [
    'void *fdopen(int fd, const char *mode)',
    'size_t strlen(const void *text)',
    'void free(void *p)',
    'void *signal(int number, void *handler)',
    'int shutdown(int fd, int how)',
  ],
} as const;

/** What older releases lack, and the first that has it. All else is there from 4.14 on. */
const LATER: ReadonlyMap<string, string> = new Map([['libxl_device_disk_safe_remove', '4.15']]);

/**
 * What takes other arguments since a release. A program in C does not notice: a macro of `libxl.h` adapts it to the version
 * that it was written for (`LIBXL_API_VERSION`), and the library has the newest form alone.
 */
const CHANGED: readonly { readonly since: string; readonly declaration: string }[] = [
  // The last one is the key that leaves the console, null for the usual one.
  {
    since: '4.18',
    declaration: 'int libxl_console_exec(void *ctx, uint32_t domid, int number, int type, int notify, void *escape)',
  },
  {
    since: '4.18',
    declaration: 'int libxl_primary_console_exec(void *ctx, uint32_t domid, int notify, void *escape)',
  },
];

/** Whether a release such as `4.17` is `first` or came after it. */
export function isSince(release: string, first: string): boolean {
  const [major = 0, minor = 0, firstMajor = 0, firstMinor = 0] = `${release}.${first}`.split('.').map(Number);
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}

/** How a function is declared in a release. */
export function declarationFor(release: string, declaration: string): string {
  const changed = CHANGED.find((one) => isSince(release, one.since) && nameOf(one.declaration) === nameOf(declaration));
  return changed?.declaration ?? declaration;
}

type Declaration = (typeof FUNCTIONS)[keyof typeof FUNCTIONS][number];
/** The name in a declaration: what stands before the parenthesis, behind blanks and stars. */
type NameOf<D extends string> = D extends `${string} *${infer Name}(${string}`
  ? Name
  : D extends `${string} ${infer Rest}`
    ? Rest extends `${infer Name}(${string}`
      ? Name extends `${string} ${string}`
        ? NameOf<Rest>
        : Name
      : NameOf<Rest>
    : never;

/** The names of all functions. */
export type FunctionName = NameOf<Declaration>;

/** One function: called at once, or on a thread of its own while this one goes on. */
interface NativeFunction {
  (...args: readonly unknown[]): unknown;
  async(...args: readonly unknown[]): void;
}

const nameOf = (declaration: string): string => /(\w+)\(/.exec(declaration)?.[1] ?? declaration;

/** The libraries, and how to work with their memory. */
export interface Libraries {
  /** The file that libxenlight was loaded from. */
  readonly file: string;
  /** Whether the installed libraries have a function that some releases lack. */
  has(name: FunctionName): boolean;
  /** Calls a function at once; only for what comes back at once. */
  now(name: FunctionName, ...args: readonly unknown[]): unknown;
  /** Calls a function on another thread. */
  later(name: FunctionName, ...args: readonly unknown[]): Promise<unknown>;
  /** The errno of the last `now`, by name. */
  errno(): string;
  /** The name of an errno. */
  errnoName(code: number): string;
  /** A C string, one character per byte; undefined for a null pointer. */
  text(pointer: unknown): string | undefined;
  /** A C string that the caller has to free; it is freed. */
  takeText(pointer: unknown): string | undefined;
  /** A JS string, one character per byte, as a C string. */
  bytes(text: string): Buffer;
  /** Memory for a structure, as its `_init` leaves it. */
  structure(init: FunctionName): Buffer;
  /** The size of a structure: as much as its `_init` writes. */
  sizeOf(init: FunctionName): number;
  /** Some memory of the process. */
  view(pointer: bigint, length: number): Buffer;
}

/** How the libraries are called for a release such as `4.17`. The others have numbers that do not change. */
function fileNames(release: string): Readonly<Record<keyof typeof FUNCTIONS, readonly string[]>> {
  return {
    xenlight: [`libxenlight.so.${release}`],
    xenctrl: [`libxenctrl.so.${release}`],
    xenforeignmemory: ['libxenforeignmemory.so.1'],
    xenstore: ['libxenstore.so.4', 'libxenstore.so.3.0'],
    xentoollog: ['libxentoollog.so.1'],
    c: ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.so'],
  };
}

function loadFirst(koffi: Koffi, names: readonly string[]): { readonly handle: LibraryHandle; readonly name: string } {
  let reason = '';
  for (const name of names) {
    try {
      return { handle: koffi.load(name), name };
    } catch (error) {
      reason ||= error instanceof Error ? error.message : String(error);
    }
  }
  throw new CallFault({ kind: 'world', code: 'no-library', reason: `cannot load \`${names[0]}\`: ${reason}` });
}

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import('koffi')).default;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallFault({ kind: 'world', code: 'no-ffi', reason: `cannot load koffi: ${why}` });
  }
}

/** Loads the libraries of a release and finds all functions in them. */
export async function openLibraries(release: string): Promise<Libraries> {
  const koffi = await loadKoffi();
  const names = fileNames(release);
  const functions = new Map<string, NativeFunction>();
  const missing: string[] = [];
  let file = '';
  for (const [library, declarations] of Object.entries(FUNCTIONS)) {
    // `Object.entries` forgets that the keys are those of the table.
    const { handle, name } = loadFirst(koffi, names[library as keyof typeof FUNCTIONS]);
    if (library === 'xenlight') file = name;
    for (const declaration of declarations) {
      try {
        functions.set(nameOf(declaration), handle.func(declarationFor(release, declaration)));
      } catch {
        if (!LATER.has(nameOf(declaration))) missing.push(nameOf(declaration));
      }
    }
  }
  if (missing.length > 0) {
    const reason = `\`${file}\` and its companions lack ${missing.map((name) => `\`${name}\``).join(', ')}`;
    throw new CallFault({ kind: 'world', code: 'other-library', reason });
  }
  return makeLibraries(koffi, file, functions);
}

/**
 * Calls a function on another thread.
 *
 * INVARIANT: what is handed over lives as long as the call. koffi passes the address of a buffer on and keeps no reference
 * to it, so that the memory of one that nobody else holds could be given back while the library reads it.
 */
export function callLater(call: Pick<NativeFunction, 'async'>, args: readonly unknown[]): Promise<unknown> {
  inUse.add(args);
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, result: unknown) => {
      inUse.delete(args);
      if (error === null || error === undefined) resolve(result);
      else reject(error);
    });
  });
}

/** The arguments of the calls that are under way. */
const inUse: Set<readonly unknown[]> = new Set();

function makeLibraries(koffi: Koffi, file: string, functions: ReadonlyMap<string, NativeFunction>): Libraries {
  const find = (name: string): NativeFunction => {
    const found = functions.get(name);
    if (found !== undefined) return found;
    const since = LATER.get(name) ?? 'another release';
    throw new CallFault({
      kind: 'refused',
      reason: `\`${file}\` lacks \`${name}\`, which libxl has since Xen ${since}`,
    });
  };
  const { errno } = koffi.os;
  // Some numbers have two names; of these, the ones that Xen uses.
  const codes = new Map<number, string>([
    [errno['EAGAIN'] ?? 11, 'EAGAIN'],
    [errno['EOPNOTSUPP'] ?? 95, 'EOPNOTSUPP'],
  ]);
  for (const [name, code] of Object.entries(errno)) if (!codes.has(code)) codes.set(code, name);
  const errnoName = (code: number): string => codes.get(code) ?? `errno ${code}`;
  const view = (pointer: bigint, length: number): Buffer => Buffer.from(koffi.view(pointer, length));
  const sizes = new Map<string, number>();
  const text = (pointer: unknown): string | undefined =>
    typeof pointer !== 'bigint' || pointer === 0n
      ? undefined
      : view(pointer, Number(find('strlen')(pointer))).toString('latin1');
  return {
    file,
    has: (name) => functions.has(name),
    now: (name, ...args) => find(name)(...args),
    later: (name, ...args) => callLater(find(name), args),
    errno: () => errnoName(koffi.errno()),
    errnoName,
    text,
    takeText(pointer) {
      const taken = text(pointer);
      if (taken !== undefined) find('free')(pointer);
      return taken;
    },
    bytes: (value) => Buffer.from(`${value}\0`, 'latin1'),
    structure(init) {
      const room = Buffer.alloc(STRUCTURE_ROOM);
      find(init)(room);
      return room;
    },
    sizeOf(init) {
      const known = sizes.get(init);
      if (known !== undefined) return known;
      // XEN: each `_init` that the IDL compiler writes clears the whole structure first (`tools/libs/light/gentypes.py`).
      const room = Buffer.alloc(STRUCTURE_ROOM, 0xa5);
      find(init)(room);
      let size = room.length;
      while (size > 0 && room[size - 1] === 0xa5) size--;
      sizes.set(init, size);
      return size;
    },
    view,
  };
}
