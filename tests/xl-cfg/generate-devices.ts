/**
 * Entries of device lists to try on xl and on our reader: parts that fit, in any order, with slips.
 *
 * @module
 */
import type { Dice } from './generate-texts.ts';

const TARGETS = [
  '/dev/vg/a',
  '/srv/a.img',
  '',
  'a:b',
  'phy:/dev/x',
  'file:/a',
  'nbd:x:1',
  'tap2:aio:/a',
  'raw:/a',
  'qcow2:/b',
  'vhd:b',
  'foo:/a',
  'drbd:r0',
];
const FORMATS = ['raw', 'qcow', 'qcow2', 'vhd', 'empty', 'qed', '', 'iso'];
const VDEVS = ['hda', 'xvda', 'sdb1', 'hdc:cdrom', 'hda:disk', 'hdb:tape', ''];
const ACCESS = ['r', 'ro', 'w', 'rw', '', '!'];
const DISK_PARTS = [
  ...['format=', 'format=raw', 'format=qcow2', 'format=iso', 'cdrom', 'devtype=cdrom', 'devtype=disk', 'devtype=tape'],
  ...['access=ro', 'access=w', 'access=x', 'backend=dom1', 'backend=', 'backendtype=phy', 'backendtype=qdisk'],
  ...['backendtype=x', 'specification=xen', 'specification=virtio', 'specification=', 'vdev=xvdb', 'vdev=', 'vdev=hdc'],
  ...['script=block-x', 'direct-io-safe', 'discard', 'no-discard', 'colo', 'no-colo', 'colo-host=h', 'colo-port=80'],
  ...['colo-port=x', 'colo-port= 7z', 'colo-export=e', 'active-disk=a', 'hidden-disk=b', 'trusted', 'untrusted'],
  ...[
    'target=/a,b=c',
    'target=',
    'target=x,',
    'foo=bar',
    'foo=',
    'x=,y',
    '=',
    '=a',
    'trustedx',
    'cdromx',
    'vdev',
    'Foo=1',
  ],
];

const NIC_PARTS = [
  ...['type=vif', 'type=ioemu', 'type=x', 'mac=00:16:3e:00:00:01', 'mac=00:16:3E:1:2:3', 'mac=00:16', 'mac=x'],
  ...[
    'mac=00-16-3e-00-00-01',
    'mac=00:16:3e:00:00:01:02',
    'mac=100:1:1:1:1:1',
    'mac= 1: 2:+3:0x4:5:6',
    'mac=',
    'mac=-1:1',
  ],
  ...['mac=0:0:0:0:0:0', 'bridge=xenbr0', 'bridge=', 'netdev=eth0', 'gatewaydev=eth1', 'ip=10.0.0.1', 'script=vif-nat'],
  ...[
    'backend=dom1',
    'vifname=v0',
    'model=e1000',
    'rate=10Mb/s',
    'rate=1GB/s@20ms',
    'rate=100',
    'rate=',
    'rate=5Kb/s@',
  ],
  ...[
    'rate=10Mb/s@1s',
    'rate=010Mb/s',
    'rate=018Mb/s',
    'rate=0Mb/s',
    'rate=5000000000B/s',
    'rate=7b/s@70',
    'rate=9B/s@5000s',
  ],
  ...[
    'rate=1MB/s@100us',
    'rate=1MB/s@0ms',
    'rate=1MB/s@1u',
    'devid=7',
    'devid=-1',
    'devid=x',
    'mtu=1400',
    'mtu=0',
    'mtu=9z',
  ],
  ...[
    'mtu=18446744073709551615',
    'accel=x',
    'trusted',
    'untrusted',
    'trusted=1',
    'bridg=x',
    'x',
    '=',
    ' ',
    'forwarddev=f',
  ],
  ...['colo_sock_mirror_id=m', 'colo_checkpoint_port=9', 'colo_filter_sec_rewriter0_queue=q', 'colo_compare_out=o'],
];

const PCI_ADDRESSES = [
  ...[
    '00:19.0',
    '0000:00:19.0',
    '01:00.*',
    '1:2.3',
    '00:1f.7',
    '00:20.0',
    '00:1f.8',
    '100:00.0',
    '10000:00:00.0',
    'ffff:ff:1f.7',
  ],
  ...[
    '0x1:00.0',
    '00: 1.0',
    '00:-1.0',
    '',
    'x',
    '00:00.0@4',
    '00:00.0@20',
    '00:00.0@',
    '00:00.0@1f',
    '00:00.0x',
    '00:0x1.0',
    '00:00.0x1',
  ],
];
const PCI_PARTS = [
  ...[
    'permissive=1',
    'permissive=0',
    'msitranslate=1',
    'seize=1',
    'power_mgmt=-1',
    'power_mgmt=x',
    'rdm_policy=strict',
  ],
  ...[
    'rdm_policy=RELAXED',
    'rdm_policy=invalid',
    'rdm_policy=x',
    'name=nic',
    'bdf=00:02.0',
    'bdf=x',
    'vslot=5',
    'vslot=x',
    'foo=1',
    'seize',
    '',
  ],
];

const FRAME_PARTS = [
  ...[
    'vnc=1',
    'vnc=0',
    'vnc=x',
    'vnclisten=0.0.0.0',
    'vncpasswd=p',
    'vncdisplay=5',
    'vncdisplay=-1',
    'vncdisplay=0',
    'vncunused=1',
  ],
  ...['keymap=de', 'sdl=1', 'opengl=1', 'display=:0', 'xauthority=/x', 'type=vnc', 'vnc', '=', ' sdl=0', 'vnclisten='],
];

const PORTS = [
  '3f8',
  '3f8-3ff',
  '0x60',
  '60-64z',
  '60z',
  'ffffffff',
  'fffffffe',
  '64-60',
  '-1',
  '',
  'x',
  '60-',
  ' 60 - 61',
  '0',
];
const IRQS = ['5', '0', '16', '5x', '', '-1', '4294967295', '4294967294', '+3', ' 7', '0x5'];
const MEMORY = [
  'fed00,1',
  'fed00,1@e0000',
  '0xfed00,0x1',
  'fed00',
  'fed00,',
  'fed00,1@',
  'fed00,1@x',
  'fed00 ,1',
  ' fed00, 1',
  '0,0',
  '0x,1',
  '1,0xg',
  '1,1@ffffffffffffffff',
  '-1,2',
  '11112222333344445555,1',
];

const P9_PARTS = [
  'tag=t',
  'path=/p',
  'security_model=none',
  'backend=dom1',
  'tag=',
  'foo=1',
  'tag',
  ' path=/q',
  'path=a=b',
];
const TPM_PARTS = [
  ...[
    'backend=tpm',
    'uuid=302EB3EE-01c8-4ed9-85ec-b2960e0ca998',
    'uuid=00000000-0000-0000-0000-000000000000',
    'uuid=x',
  ],
  ...['foo=1', 'backend', ' backend=', 'backend=b'],
];
const PVCALLS_PARTS = ['backend=net', 'backend=', 'foo=1', 'backend', ' backend=x'];
const CHANNEL_PARTS = [
  ...[
    'connection=pty',
    'connection=socket',
    'connection=x',
    'name=org.a',
    'path=/s',
    'backend=b',
    'foo=1',
    'name',
    '=x',
  ],
  ...[' name = a b ', 'name==a', 'name=a=b', 'connection= pty'],
];
const KEYBOARD_PARTS = [
  ...['backend-type=qemu', 'backend-type=LINUX', 'backend-type=unknown', 'backend-type=x', 'backend=d', 'unique-id=u'],
  ...['feature-disable-keyboard=1', 'feature-abs-pointer=0', 'feature-multi-touch=1', 'multi-touch-width=0x10'],
  ...[
    'multi-touch-height=010',
    'multi-touch-num-contacts=99999999999999999999',
    'width=-1',
    'height=4294967296',
    'foo=1',
    'width',
    '',
  ],
];
const CONTROLLER_PARTS = [
  'type=pv',
  'type=QUSB',
  'type=auto',
  'type=x',
  'version=2',
  'ports=8',
  'ports=x',
  'foo',
  'foo=1',
  ' version= 3',
];
const USB_PARTS = [
  ...[
    'type=hostdev',
    'type=HOSTDEV',
    'type=x',
    'hostbus=1',
    'hostaddr=0x103',
    'hostaddr=-1',
    'controller=0',
    'controller=-1',
  ],
  ...['controller=2', 'port=3', 'port=x', 'foo', 'foo=1'],
];

function joined(dice: Dice, parts: readonly string[], most: number): string {
  return Array.from({ length: dice.roll(most + 1) }, () => dice.pick(parts)).join(dice.pick([',', ',', ', ', ',,']));
}

function disk(dice: Dice): string {
  if (dice.isLucky(2)) {
    const positional = [dice.pick(TARGETS), dice.pick(FORMATS), dice.pick(VDEVS), dice.pick(ACCESS), 'x'];
    return `${positional.slice(0, 1 + dice.roll(5)).join(',')}${dice.isLucky(2) ? `,${joined(dice, DISK_PARTS, 2)}` : ''}`;
  }
  const start = dice.isLucky(2) ? 'vdev=xvda,' : '';
  const end = dice.isLucky(2) ? ',target=/dev/vg/a' : '';
  return start + joined(dice, DISK_PARTS, 4) + end;
}

function pci(dice: Dice): string {
  const parts = joined(dice, PCI_PARTS, 2);
  return dice.pick(PCI_ADDRESSES) + (parts === '' ? '' : `,${parts}`);
}

/** No nodes: the reference host does not know its own. */
const CPU_PARTS = [
  '0',
  '1',
  '2-3',
  '^3',
  'all',
  '^all',
  '7',
  '8',
  '100',
  '3-2',
  '1-',
  '-1',
  'x',
  ' 2',
  '1 ',
  '+1',
  '18446744073709551615',
  '^',
  '',
];

function cpuRange(dice: Dice): string {
  return joined(dice, dice.isLucky(2) ? CPU_PARTS.slice(0, 5) : CPU_PARTS, 4);
}

const ENTRIES: ReadonlyMap<string, (dice: Dice) => string> = new Map([
  ['disk', disk],
  ['vif', (dice: Dice): string => joined(dice, NIC_PARTS, 5)],
  ['pci', pci],
  ['vfb', (dice: Dice): string => joined(dice, FRAME_PARTS, 5)],
  [
    'p9',
    (dice: Dice): string => (dice.isLucky(2) ? 'tag=a,path=/b,security_model=c,' : '') + joined(dice, P9_PARTS, 4),
  ],
  ['vtpm', (dice: Dice): string => joined(dice, TPM_PARTS, 3)],
  ['pvcalls', (dice: Dice): string => joined(dice, PVCALLS_PARTS, 2)],
  [
    'channel',
    (dice: Dice): string =>
      `connection=${dice.pick(['pty', 'socket', 'socket,path=/x'])},${joined(dice, CHANNEL_PARTS, 3)}`,
  ],
  ['vkb', (dice: Dice): string => (dice.isLucky(3) ? '' : 'backend-type=linux,') + joined(dice, KEYBOARD_PARTS, 4)],
  ['usbctrl', (dice: Dice): string => joined(dice, CONTROLLER_PARTS, 3)],
  ['usbdev', (dice: Dice): string => joined(dice, USB_PARTS, 4)],
  ['cpus', cpuRange],
  ['cpus_soft', cpuRange],
  ['dtdev', (dice: Dice): string => dice.pick(['/soc/x', '', 'a b'])],
  ['ioports', (dice: Dice): string => dice.pick(PORTS)],
  ['irqs', (dice: Dice): string => dice.pick(IRQS)],
  ['iomem', (dice: Dice): string => dice.pick(MEMORY)],
]);

/** The lists that entries are made for. */
export const DEVICE_LISTS: readonly string[] = [...ENTRIES.keys()];

/** One character changed. Not in a PCI address: without its dot, xl reads memory that was never set. */
function slip(dice: Dice, entry: string): string {
  if (!dice.isLucky(8)) return entry;
  const at = dice.roll(entry.length + 1);
  return (
    entry.slice(0, at) +
    dice.pick(['', 'x', '=', ',', ':', ' ', '0', '\\n', '\\t', '-', '@', 'é']) +
    entry.slice(at + dice.roll(2))
  );
}

/** One entry for this key. */
export function generateEntry(dice: Dice, key: string): string {
  return ENTRIES.get(key)?.(dice) ?? '';
}

/** A list of entries for this key. */
export function generateDevices(dice: Dice, key: string): string {
  const make = ENTRIES.get(key);
  if (make === undefined) return '[]';
  const entries = Array.from(
    { length: dice.roll(4) },
    () => `"${key === 'pci' ? make(dice) : slip(dice, make(dice))}"`,
  );
  // After a list, xl would read affinities that were never set.
  if (dice.isLucky(12) && !key.startsWith('cpus')) entries.splice(dice.roll(entries.length + 1), 0, '["x"]');
  return `[${entries.join(',')}]`;
}
