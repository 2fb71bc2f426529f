/** What we say about entries of device lists. What xl makes of them is compared in `tests/xl-cfg`. */
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { parseXlCfg } from '../parser.ts';
import { type DomainConfigReading, readDomainConfig } from '../read-domain-config.ts';

function read(list: string): DomainConfigReading {
  const text = `${list}\nname = 'guest'\nkernel = '/boot/vmlinuz'\n`;
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
}

/** A diagnostic in one line: severity, the text that is marked, message. */
function line({ severity, origin, message }: Diagnostic): string {
  const { source, start, end } = origin?.span ?? { source: new SourceText('', ''), start: 0, end: 0 };
  return `${severity} at ${source.text.slice(start, end)}: ${message}`;
}

const told = (list: string): string[] => read(list).diagnostics.map(line);

/** A member of libxl's structure of the first device of a kind. */
function member(list: string, kind: 'disks' | 'vifs' | 'pciDevices' | 'frameBuffers', name: string): unknown {
  return new Map(read(list).config?.[kind][0]?.members).get(name);
}

describe('an entry of `disk`', () => {
  test.each([
    ["'/dev/vg/a,raw,xvda,w'", ['/dev/vg/a', 'xvda', 'raw', 1]],
    ["'/dev/vg/a,,xvda,r'", ['/dev/vg/a', 'xvda', 'raw', undefined]],
    ["'phy:/dev/vg/a,xvda,w'", ['/dev/vg/a', 'xvda', 'raw', 1]],
    ["'qcow2:/srv/a,hda,w'", ['/srv/a', 'hda', 'qcow2', 1]],
    ["'vdev=hda, target=/srv/a,b=c'", ['/srv/a,b=c', 'hda', 'raw', 1]],
    ["',,hdc,,cdrom'", ['', 'hdc', 'empty', undefined]],
    ["'/a.iso,raw,hdc:cdrom'", ['/a.iso', 'hdc', 'raw', undefined]],
  ])('%s is read', (entry, expected) => {
    const list = `disk = [ ${entry} ]`;
    expect(told(list)).toEqual([]);
    expect(['pdev_path', 'vdev', 'format', 'readwrite'].map((name) => member(list, 'disks', name))).toEqual(expected);
  });

  test('may have several mistakes, each at its place', () => {
    expect(told("disk = [ 'vdev=xvda,vdev=xvdb,format=iso,foo=1,devtype=tape,target=/a' ]")).toEqual([
      'error at vdev=xvdb,: an entry of `disk` is wrong: `xvdb` gives `vdev` a second time',
      'error at format=iso,: an entry of `disk` is wrong: `iso` is no value of `format`',
      'error at foo=1,: an entry of `disk` is wrong: `foo=1` begins no part that xl knows',
      'error at devtype=tape,: an entry of `disk` is wrong: `devtype=tape` is no value of `devtype`',
    ]);
  });

  test.each([
    ["'vdev=xvda'", "'vdev=xvda'", 'there is no `target`, and the disk is no CD'],
    ["'/a,raw'", "'/a,raw'", 'there is no `vdev`'],
    ["'/a,raw,xvda,w,w'", 'w', '`w` is one part too many'],
    ["'floppy:/a,hda,w'", 'floppy:', '`floppy:` is no prefix of a target'],
    ["'/a,=x'", '=x', '`=x` has no meaning'],
    ["'/a,,hda:tape'", 'hda:tape', '`tape` is no kind of device'],
    ["'/a,raw,xvda,x'", 'x', '`x` is no value of `access`'],
    ["'/a,raw,xvda,w,backendtype=x'", 'backendtype=x', '`x` is no value of `backendtype`'],
    ["'/a,raw,xvda,w,format=qcow2'", 'format=qcow2', '`qcow2` gives `format` a second time'],
    ["'/a,raw,xvda,w,colo-port=x'", 'colo-port=x', '`x` is no value of `colo-port`'],
  ])('%s is wrong', (entry, marked, why) => {
    expect(told(`disk = [ ${entry} ]`)).toEqual([`error at ${marked}: an entry of \`disk\` is wrong: ${why}`]);
  });

  test('cannot say that its backend is not trusted, as that word is unknown to xl 4.17', () => {
    expect(told("disk = [ 'vdev=xvda,untrusted' ]")).toEqual([
      'warning at untrusted: `untrusted` is left out of the entry of `disk`: xl 4.17 does not know the word and takes it for a part without a name',
    ]);
    expect(member("disk = [ 'vdev=xvda,untrusted' ]", 'disks', 'pdev_path')).toBe('untrusted');
  });

  test('with escapes in it is marked whole', () => {
    expect(told("disk = [ '/a\\t,raw,xvda,x' ]")).toEqual([
      "error at '/a\\t,raw,xvda,x': an entry of `disk` is wrong: `x` is no value of `access`",
    ]);
  });
});

describe('an entry of `vif`', () => {
  test('is read', () => {
    const list = "vif = [ 'mac=00:16:3E:0:0:1, bridge=xenbr0, rate=10Mb/s@20ms,backend=net,untrusted' ]";
    expect(told(list)).toEqual([]);
    expect(read(list).config?.vifs[0]?.members).toEqual([
      ['backend_domname', 'net'],
      ['devid', 0],
      ['mac', '00:16:3e:00:00:01'],
      ['bridge', 'xenbr0'],
      ['rate_bytes_per_interval', 25000n],
      ['rate_interval_usecs', 20000n],
      ['trusted', 'False'],
    ]);
  });

  test('loses parts that xl does not understand', () => {
    expect(told("vif = [ 'bridg=xenbr0, mac=x,type=pv,netdev=eth0,accel=1' ]")).toEqual([
      'warning at bridg=xenbr0: `bridg=xenbr0` is left out of the entry of `vif`: xl does not know it',
      'warning at mac=x: `mac=x` is left out of the entry of `vif`: a MAC address is six pairs of hexadecimal digits',
      'warning at type=pv: `type=pv` is left out of the entry of `vif`: values are `vif` and `ioemu`',
      'warning at netdev=eth0: `netdev` is deprecated: use `gatewaydev`',
      'warning at accel=1: `accel=1` is left out of the entry of `vif`: xl does not support it',
    ]);
  });

  test('with a MAC address that is too short is an error, for xl keeps the bytes', () => {
    expect(told("vif = [ 'mac=00:16' ]")).toEqual([
      'error at mac=00:16: an entry of `vif` is wrong: `mac=00:16` is no MAC address: one is written as `00:16:3e:12:34:56`',
    ]);
    expect(told("vif = [ 'mac=1:2:3:4:5,bridge=x' ]")).toEqual([
      'error at mac=1:2:3:4:5: an entry of `vif` is wrong: xl reads the end of the MAC address out of the next part',
    ]);
    const long = "vif = [ 'mac=1:2:3:4:5:6:7' ]";
    expect(told(long)).toEqual(['warning at :7: `:7` is left out of the entry of `vif`: a MAC address has six bytes']);
    expect(member(long, 'vifs', 'mac')).toBe('01:02:03:04:05:06');
  });

  test.each([
    ['rate=10Mb', '`10Mb` is no rate: one is written as `10Mb/s@50ms`'],
    ['rate=', '`` is no rate: one is written as `10Mb/s@50ms`'],
    ['rate=1MB/s@5000s', '`1MB/s@5000s` is no rate: one is written as `10Mb/s@50ms`'],
    ['mtu=large', '`large` is no number'],
    ['devid=', '`` is no number'],
  ])('with %s ends xl', (part, why) => {
    expect(told(`vif = [ 'bridge=x,${part}' ]`)).toEqual([`error at ${part}: an entry of \`vif\` is wrong: ${why}`]);
  });
});

describe('an entry of `pci`', () => {
  test('is read', () => {
    const list = "pci = [ '0000:03:02.1@5,permissive=1' ]\npci_seize = 1";
    expect(told(list)).toEqual([]);
    expect(read(list).config?.pciDevices[0]?.members).toEqual([
      ['func', 1],
      ['dev', 2],
      ['bus', 3],
      ['vdevfn', 40],
      ['vfunc_mask', 1],
      ['permissive', true],
      ['seize', true],
      ['rdm_policy', 'strict'],
    ]);
  });

  test.each([
    ['00:19', '00:19', '`00:19` is no device: one is written as `00:19.0`'],
    ['00:20.0', '00:20.0', '`00:20.0` is no device: one is written as `00:19.0`'],
    ['00:19.0,permisive=1', 'permisive=1', '`permisive` is no option'],
    ['00:19.0@40', '40', 'a slot is a number from 0 to 1f'],
    ['00:19.0 ', ' ', '` ` has no meaning'],
    ['00:19.0,name=x', '00:19.0,name=x', 'it has both a device and a name'],
    ['seize=1', 'seize=1', 'it names no device'],
    ['00:19.0,rdm_policy=x', 'rdm_policy=x', '`x` is no value of `rdm_policy`'],
    ['00:19.0,seize', 'seize', '`seize` has no value'],
    ['bdf=x', 'bdf=x', '`x` is no device'],
    ['00:19.0,vslot=x', 'vslot=x', '`x` is no slot'],
  ])('%s is wrong', (entry, marked, why) => {
    expect(told(`pci = [ '${entry}' ]`)).toEqual([`error at ${marked}: an entry of \`pci\` is wrong: ${why}`]);
  });
});

test('an entry of `vfb` loses what stands after a part without a value', () => {
  const list = "vfb = [ 'vnc=1,colour=1,vncunused,keymap=de' ]";
  expect(told(list)).toEqual([
    'warning at colour=1: `colour=1` is left out of the entry of `vfb`: xl does not know it',
    'warning at vncunused: `vncunused` is left out of the entry of `vfb`: xl reads up to the first part without a value',
    'warning at keymap=de: `keymap=de` is left out of the entry of `vfb`: xl reads up to the first part without a value',
  ]);
  expect(member(list, 'frameBuffers', 'keymap')).toBeUndefined();
});

describe('ports, interrupts and pages', () => {
  test('are numbers and ranges', () => {
    const list = "ioports = [ '3f8-3ff', 60 ]\nirqs = [ 5 ]\niomem = [ 'fed00,1', 'a0000,20@c0000' ]";
    expect(told(list)).toEqual([]);
    const members = read(list).config?.members;
    expect(members?.get('b_info.irqs')).toEqual([5n]);
    expect(members?.get('b_info.ioports')).toEqual([
      {
        members: [
          ['first', 0x3f8n],
          ['number', 8n],
        ],
      },
      {
        members: [
          ['first', 0x60n],
          ['number', 1n],
        ],
      },
    ]);
    expect(members?.get('b_info.iomem')).toEqual([
      {
        members: [
          ['start', 0xfed00n],
          ['number', 1n],
        ],
      },
      {
        members: [
          ['start', 0xa0000n],
          ['number', 0x20n],
          ['gfn', 0xc0000n],
        ],
      },
    ]);
  });

  test('a name of a port is taken for a number by xl, and is an error to us', () => {
    expect(told("ioports = [ 'com1' ]")).toEqual([
      "error at 'com1': an entry of `ioports` is wrong: `com1` goes on after the number, and xl takes the number",
    ]);
    expect(read("ioports = [ 'com1' ]").xl).toMatchObject({
      kind: 'made',
      stderr: 'xl: Invalid argument parsing ioport: com1\n',
    });
  });

  test.each([
    [
      "ioports = [ '3f8-' ]",
      "'3f8-'",
      'ioports',
      '`3f8-` is no range of ports: one is written in hexadecimal, as `3f8-3ff`',
    ],
    ["irqs = [ 'x' ]", "'x'", 'irqs', '`x` is no number of an interrupt'],
    ['irqs = [ [ 5 ] ]', '[ 5 ]', 'irqs', 'an entry cannot be a list'],
    [
      "iomem = [ 'fed00' ]",
      "'fed00'",
      'iomem',
      '`fed00` is no range of pages: one is written in hexadecimal, as `fed00,1` or `fed00,1@e0000`',
    ],
  ])('%s is wrong', (list, marked, key, why) => {
    expect(told(list)).toEqual([`error at ${marked}: an entry of \`${key}\` is wrong: ${why}`]);
  });
});

describe('an entry of parts with names', () => {
  test.each([
    ["p9 = [ 'tag=a,path=/b,security_model=none' ]", 'sharedFolders'],
    ["vtpm = [ 'backend=tpm' ]", 'tpms'],
    ["pvcalls = [ 'backend=net' ]", 'sockets'],
    ["channel = [ 'connection=socket,path=/s,name=n' ]", 'channels'],
    ["vkb = [ 'backend-type=linux' ]", 'keyboards'],
    ["usbctrl = [ 'type=qusb,ports=8' ]", 'usbControllers'],
    ["usbdev = [ 'type=hostdev,hostbus=1,hostaddr=2' ]", 'usbDevices'],
    ["dtdev = [ '/soc/uart' ]", 'treeDevices'],
  ] as const)('%s is read', (list, kind) => {
    expect(told(list)).toEqual([]);
    expect(read(list).config?.[kind]).toHaveLength(1);
  });

  test.each([
    ["p9 = [ 'tag=a,path=/b' ]", "'tag=a,path=/b'", 'p9', 'there is no `security_model`'],
    ["p9 = [ 'tag=a,mode=1' ]", 'mode=1', 'p9', 'xl does not know `mode`'],
    ["vtpm = [ 'uuid=x' ]", 'uuid=x', 'vtpm', '`x` is no UUID'],
    ["vtpm = [ '' ]", "''", 'vtpm', 'there is no `backend`'],
    ["pvcalls = [ 'domain=net' ]", 'domain=net', 'pvcalls', 'xl does not know `domain`'],
    ["channel = [ 'connection=pty,name' ]", 'name', 'channel', '`name` has no value'],
    ["channel = [ 'connection=tcp' ]", 'connection=tcp', 'channel', '`tcp` is no value of `connection`'],
    ["channel = [ 'connection=socket' ]", "'connection=socket'", 'channel', 'a socket has a `path`'],
    ["channel = [ '' ]", "''", 'channel', 'it is empty'],
    ["vkb = [ 'width=1' ]", "'width=1'", 'vkb', 'there is no `backend-type`'],
    ["vkb = [ 'backend-type=usb' ]", 'backend-type=usb', 'vkb', '`usb` is no value of `backend-type`'],
    ["usbctrl = [ 'type=usb3' ]", 'type=usb3', 'usbctrl', '`usb3` is no kind of controller'],
    ["usbdev = [ 'type=keyboard' ]", 'type=keyboard', 'usbdev', '`keyboard` is no kind of device'],
    ["usbdev = [ 'hostdev' ]", 'hostdev', 'usbdev', 'xl does not know `hostdev`'],
  ])('%s is wrong', (list, marked, key, why) => {
    expect(told(list)).toEqual([`error at ${marked}: an entry of \`${key}\` is wrong: ${why}`]);
    expect(read(list).config).toBeUndefined();
    expect(read(list).xl.kind).not.toBe('made');
  });

  test('of `p9` takes what it leaves out from the entry before, which is an error to us', () => {
    const reading = read("p9 = [ 'tag=a,path=/b,security_model=none', 'tag=c,path=/d' ]");
    expect(reading.diagnostics.map(line)).toEqual([
      "error at 'tag=c,path=/d': an entry of `p9` is wrong: there is no `security_model`, and xl takes that of the entry before",
    ]);
    expect(reading.xl).toMatchObject({ kind: 'made', stderr: '' });
  });
});

describe('the CPUs of `cpus`', () => {
  const affinity = (list: string): unknown => read(list).config?.members.get('b_info.vcpu_hard_affinity');

  test.each([
    ["vcpus = 2\ncpus = '2-3,^3'", [[2], [2]]],
    ["vcpus = 2\ncpus = [ '0', '1-2', '3' ]", [[0], [1, 2]]],
    ["vcpus = 1\ncpus = '1,,1,99'", [[1]]],
    ["vcpus = 1\ncpus = '0-4000000000'", [[0, 1, 2, 3, 4, 5, 6, 7]]],
    ["cpus = '1'", undefined],
  ])('%j are %j', (list, expected) => {
    expect(told(list)).toEqual([]);
    expect(affinity(list)).toEqual(expected);
  });

  test.each(['3-2', 'x', '1-', '^all', '1 ', ''])('cannot be `%s`', (text) => {
    const [diagnostic] = told(`vcpus = 1\ncpus = '${text}'`);
    expect(diagnostic).toBe(
      text === ''
        ? "error at '': `cpus` leaves a virtual CPU without a CPU to run on"
        : `error at '${text}': \`${text}\` is not a value of \`cpus\``,
    );
  });

  test('of a node are those of the host that the file is read for', () => {
    expect(told("vcpus = 1\ncpus = 'node:0'")).toEqual([
      "note at 'node:0': `cpus` names NUMA nodes: it is read for a host whose 4 CPUs are all in node 0",
    ]);
  });
});

test.each([
  [
    'cpuid',
    "'host,tm=0,sse5=1'",
    'warning at sse5=1: `sse5=1` is left out of the entry of `cpuid`: unknown CPUID flag name',
  ],
  [
    'cpuid',
    "[ '1:eax=01' ]",
    'warning at 1:eax=01: `1:eax=01` is left out of the entry of `cpuid`: policy string must be exactly 32 characters long',
  ],
  [
    'rdm',
    "'strategy=guest'",
    'warning at strategy=guest: `strategy=guest` is left out of the entry of `rdm`: `guest` is no strategy',
  ],
  [
    'rdm',
    "'strategy=host,policy=strict'",
    'warning at strategy=host,policy=strict: `strategy=host,policy=strict` is left out of the entry of `rdm`: xl 4.17 takes a policy for an error, and leaves out all of `rdm`',
  ],
  [
    'vdispl',
    "[ 'connectors=a:800' ]",
    'error at connectors=a:800: an entry of `vdispl` is wrong: `800` is no resolution: one is written as `1920x1080`',
  ],
  ['vsnd', "[ ['pcm, rate=1'] ]", 'error at rate=1: an entry of `vsnd` is wrong: xl does not know `rate=1`'],
  ['vnuma', "[ ['pnode=7'] ]", "error at 'pnode=7': an entry of `vnuma` is wrong: the host has no node 7"],
  [
    'vnuma',
    "[ ['size=64','vcpus=0-7'] ]",
    "error at [ ['size=64','vcpus=0-7'] ]: an entry of `vnuma` is wrong: the host has 4 CPUs, and `maxvcpus` is not set",
  ],
])('what is wrong with `%s` is told where it stands: %s', (key, value, message) => {
  const { diagnostics } = read(`type = 'hvm'\n${key} = ${value}`);
  expect(diagnostics.map(line)).toEqual([message]);
});
