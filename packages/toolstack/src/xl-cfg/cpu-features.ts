/**
 * The CPU features that `cpuid` of xl.cfg has names for, and where CPUID or an MSR shows each.
 *
 * Facts of Xen `xen/include/public/arch-x86/cpufeatureset.h` and `tools/libs/light/libxl_cpuid.c`. A name stands before
 * its bit, and where it is more than one bit, `+` and their number follow.
 *
 * @module
 */

/** The four registers that CPUID answers in, in the order of libxl. */
export const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'] as const;

/** A register that CPUID answers in. */
export type Register = (typeof REGISTERS)[number];

/** Where a feature is shown. */
export type FeaturePlace =
  | {
      readonly kind: 'cpuid';
      readonly leaf: number;
      readonly subleaf: number | undefined;
      readonly register: Register;
      readonly bit: number;
      readonly length: number;
    }
  | { readonly kind: 'msr'; readonly index: number; readonly bit: number };

type Row = readonly [leaf: number, subleaf: number | undefined, register: Register, names: string];

/** Names that libxl's own table has; they are looked for first. */
const OWN_NAMES: readonly Row[] = [
  [0, undefined, 'eax', 'maxleaf:0+32'],
  [1, undefined, 'eax', 'stepping:0+4 model:4+8 family:8+8'],
  [1, undefined, 'ebx', 'brandid:0+8 clflush:8+8 proccount:16+8 localapicid:24+8'],
  [1, undefined, 'ecx', 'est:7 cntxid:10 cmpxchg16:13 sse4_1:19 sse4.1:19 sse4_2:20 sse4.2:20 aes:25'],
  [1, undefined, 'edx', 'cmpxchg8:8 sysenter:11 psn:18 clfsh:19 tm:29 ia64:30 pbe:31'],
  [6, undefined, 'eax', 'arat:2'],
  [7, 0, 'ebx', 'tsc_adjust:1 cmt:12'],
  [0x80000001, undefined, 'ecx', 'lahfsahf:0 cmplegacy:1 altmovcr8:4 nodeid:19 perfctr_core:23 perfctr_nb:24'],
  [4, 0, 'eax', 'procpkg:26+6'],
  [0x80000007, undefined, 'edx', 'invtsc:8'],
  [0x80000008, undefined, 'ebx', 'ppin:23 btc-no:29'],
  [0x80000008, undefined, 'ecx', 'nc:0+8 apicidsize:12+4'],
  [
    0x8000000a,
    undefined,
    'edx',
    'svm_npt:0 svm_lbrv:1 svm_nrips:3 svm_tscrate:4 svm_vmcbclean:5 svm_decode:7 svm_pausefilt:10',
  ],
  [0x80000021, undefined, 'eax', 'lfence+:2'],
  [0x40000000, undefined, 'eax', 'maxhvleaf:0+8'],
];

/** Names of Xen's feature set. */
const FEATURE_NAMES: readonly Row[] = [
  [
    1,
    undefined,
    'edx',
    'fpu:0 vme:1 de:2 pse:3 tsc:4 msr:5 pae:6 mce:7 cx8:8 apic:9 sep:11 mtrr:12 pge:13 mca:14 cmov:15 pat:16 ' +
      'pse36:17 clflush:19 ds:21 acpi:22 mmx:23 fxsr:24 sse:25 sse2:26 ss:27 htt:28 tm1:29 pbe:31',
  ],
  [
    1,
    undefined,
    'ecx',
    'sse3:0 pclmulqdq:1 dtes64:2 monitor:3 dscpl:4 vmx:5 smx:6 eist:7 tm2:8 ssse3:9 fma:12 cx16:13 xtpr:14 ' +
      'pdcm:15 pcid:17 dca:18 sse4-1:19 sse4-2:20 x2apic:21 movbe:22 popcnt:23 tsc-deadline:24 aesni:25 xsave:26 ' +
      'osxsave:27 avx:28 f16c:29 rdrand:30 hypervisor:31',
  ],
  [0x80000001, undefined, 'edx', 'syscall:11 nx:20 mmxext:22 ffxsr:25 page1gb:26 rdtscp:27 lm:29 3dnowext:30 3dnow:31'],
  [
    0x80000001,
    undefined,
    'ecx',
    'lahf-lm:0 cmp-legacy:1 svm:2 extapic:3 cr8-legacy:4 abm:5 sse4a:6 misalignsse:7 3dnowprefetch:8 osvw:9 ' +
      'ibs:10 xop:11 skinit:12 wdt:13 lwp:15 fma4:16 nodeid-msr:19 tbm:21 topoext:22 dbext:26 monitorx:29',
  ],
  [0xd, 1, 'eax', 'xsaveopt:0 xsavec:1 xgetbv1:2 xsaves:3'],
  [
    7,
    0,
    'ebx',
    'fsgsbase:0 tsc-adjust:1 sgx:2 bmi1:3 hle:4 avx2:5 fdp-excp-only:6 smep:7 bmi2:8 erms:9 invpcid:10 rtm:11 ' +
      'pqm:12 no-fpu-sel:13 mpx:14 pqe:15 avx512f:16 avx512dq:17 rdseed:18 adx:19 smap:20 avx512-ifma:21 ' +
      'clflushopt:23 clwb:24 proc-trace:25 avx512pf:26 avx512er:27 avx512cd:28 sha:29 avx512bw:30 avx512vl:31',
  ],
  [
    7,
    0,
    'ecx',
    'prefetchwt1:0 avx512-vbmi:1 umip:2 pku:3 ospke:4 avx512-vbmi2:6 cet-ss:7 gfni:8 vaes:9 vpclmulqdq:10 ' +
      'avx512-vnni:11 avx512-bitalg:12 avx512-vpopcntdq:14 rdpid:22 cldemote:25 movdiri:27 movdir64b:28 enqcmd:29',
  ],
  [0x80000007, undefined, 'edx', 'hw-pstate:7 itsc:8 cpb:9 efro:10'],
  [
    0x80000008,
    undefined,
    'ebx',
    'clzero:0 rstr-fp-err-ptrs:2 wbnoinvd:9 ibpb:12 ibrs:14 amd-stibp:15 ibrs-always:16 stibp-always:17 ' +
      'ibrs-fast:18 ibrs-same-mode:19 no-lmsl:20 amd-ppin:23 amd-ssbd:24 virt-ssbd:25 ssb-no:26 psfd:28 btc-no:29 ' +
      'ibpb-ret:30',
  ],
  [
    7,
    0,
    'edx',
    'avx512-4vnniw:2 avx512-4fmaps:3 fsrm:4 avx512-vp2intersect:8 srbds-ctrl:9 md-clear:10 rtm-always-abort:11 ' +
      'tsx-force-abort:13 serialize:14 hybrid:15 tsxldtrk:16 cet-ibt:20 avx512-fp16:23 ibrsb:26 stibp:27 ' +
      'l1d-flush:28 arch-caps:29 core-caps:30 ssbd:31',
  ],
  [7, 1, 'eax', 'avx-vnni:4 avx512-bf16:5 fzrm:10 fsrs:11 fsrcs:12'],
  [0x80000021, undefined, 'eax', 'lfence-dispatch:2 verw-clear:5 nscb:6 auto-ibrs:8 sbpb:27 ibpb-brtype:28 srso-no:29'],
  [7, 1, 'ebx', 'intel-ppin:0'],
  [7, 2, 'edx', 'intel-psfd:0 ipred-ctrl:1 rrsba-ctrl:2 bhi-ctrl:4 mcdt-no:5'],
  [7, 1, 'edx', 'cet-sss:18'],
  [0x80000021, undefined, 'ecx', 'tsa-sq-no:1 tsa-l1-no:2'],
];

/** Those of the MSR of architectural capabilities. */
const ARCH_CAPS = 0x10a;
const ARCH_CAPS_NAMES =
  'rdcl-no:0 eibrs:1 rsba:2 skip-l1dfl:3 intel-ssb-no:4 mds-no:5 if-pschange-mc-no:6 tsx-ctrl:7 taa-no:8 ' +
  'mcu-ctrl:9 misc-pkg-ctrl:10 energy-filtering:11 doitm:12 sbdr-ssdp-no:13 fbsdp-no:14 psdp-no:15 fb-clear:17 ' +
  'fb-clear-ctrl:18 rrsba:19 bhi-no:20 xapic-status:21 ovrclk-status:23 pbrsb-no:24 gds-ctrl:25 gds-no:26 ' +
  'rfds-no:27 rfds-clear:28 its-no:62';

function placesOf(rows: readonly Row[]): [string, FeaturePlace][] {
  return rows.flatMap(([leaf, subleaf, register, names]) =>
    names.split(' ').map((entry): [string, FeaturePlace] => {
      const [name = '', bits = ''] = entry.split(':');
      const [bit = '0', length = '1'] = bits.split('+');
      return [name, { kind: 'cpuid', leaf, subleaf, register, bit: Number(bit), length: Number(length) }];
    }),
  );
}

/** All names and their places; a name of libxl's own table comes before one of Xen's feature set. */
export const CPU_FEATURES: ReadonlyMap<string, FeaturePlace> = new Map([
  ...placesOf(FEATURE_NAMES),
  ...ARCH_CAPS_NAMES.split(' ').map((entry): [string, FeaturePlace] => {
    const [name = '', bit = '0'] = entry.split(':');
    return [name, { kind: 'msr', index: ARCH_CAPS, bit: Number(bit) }];
  }),
  ...placesOf(OWN_NAMES),
]);
