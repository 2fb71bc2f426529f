/**
 * The number that libxl gives a virtual disk by its name in the guest.
 *
 * Follows Xen `tools/libs/light/libxl_device.c`, `libxl__device_disk_dev_number`.
 *
 * @module
 */
import { parseLong } from '../xl-cfg/strtol.ts';

const MAJOR_XVD = 202;
const MAJOR_SD = 8;
const EXTENDED = 1 << 28;
const INT_MAX = 0x7fff_ffff;

/** A disk, and a partition on it; 0 is the whole disk. */
interface DiskPart {
  readonly disk: number;
  readonly partition: number;
}

/** Numbers of a disk and of a partition on it; XEN: letters are a number to the base of 26. */
function parse(name: string, prefix: string, most: DiskPart): DiskPart | undefined {
  const match = /^([a-z]{1,8})([1-9][0-9]{0,3})?$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '');
  if (match === null) return undefined;
  let disk = -1;
  for (const letter of match[1] ?? '') disk = (disk + 1) * 26 + letter.charCodeAt(0) - 97;
  const partition = Number(match[2] ?? 0);
  return disk > most.disk || partition > most.partition ? undefined : { disk, partition };
}

/** The number of `xvda`, `sda1`, `hdc`, `d0p1`, `51712`; undefined for what libxl takes for no disk. */
export function diskNumber(name: string): number | undefined {
  const [, d, p] = /^d([0-9]{1,7})p([0-9]{1,3})$/.exec(name) ?? [];
  const numbered = d === undefined || p === undefined ? undefined : { disk: Number(d), partition: Number(p) };
  const isSmall = numbered !== undefined && numbered.disk < 1 << 20 && numbered.partition < 256;
  const xen = isSmall ? numbered : parse(name, 'xvd', { disk: (1 << 20) - 1, partition: 255 });
  if (xen !== undefined) {
    const { disk, partition } = xen;
    return disk <= 15 && partition <= 15
      ? (MAJOR_XVD << 8) | (disk << 4) | partition
      : EXTENDED | (disk << 8) | partition;
  }
  const number = parseLong(name);
  if (number.kind === 'number' && number.value >= 0n && number.value <= INT_MAX) return Number(number.value);
  const ide = parse(name, 'hd', { disk: 3, partition: 63 });
  if (ide !== undefined) return ((ide.disk < 2 ? 3 : 22) << 8) | ((ide.disk & 1) << 6) | ide.partition;
  const scsi = parse(name, 'sd', { disk: 15, partition: 15 });
  return scsi === undefined ? undefined : (MAJOR_SD << 8) | (scsi.disk << 4) | scsi.partition;
}
