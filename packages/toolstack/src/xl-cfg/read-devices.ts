/**
 * Reads devices, the device model and the display.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`, in its order.
 *
 * @module
 */

import { readChannels } from './devices/channel.ts';
import { readDisks } from './devices/disk.ts';
import { readDisplays } from './devices/display.ts';
import { readFrameBuffers } from './devices/frame-buffer.ts';
import { readNamedParts } from './devices/named-parts.ts';
import { readPciDevices } from './devices/pci.ts';
import { readResources } from './devices/ranges.ts';
import { readSoundCards } from './devices/sound.ts';
import { readVifs } from './devices/vif.ts';
import { cfg as report } from './diagnostics.ts';
import type { Devices } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import type { Guest } from './key-table.ts';
import { flagJson, flagMember, intMember, memoryMember, textMember, textsJson } from './members.ts';
import { showBytes } from './show-text.ts';
import { valueOrigin, type XlReader } from './xl-reader.ts';

/** Reads `pci` with what applies to all PCI devices, and `dtdev`. */
export function readPci(reader: XlReader, guest: Guest): Pick<Devices, 'pciDevices' | 'treeDevices'> {
  // XEN: the policy comes from libxl's structure for HVM guests, which is all zeros in other guests.
  const pciDevices = readPciDevices(reader, guest === 'hvm' ? undefined : 'strict');
  if (guest === 'pv' && pciDevices.length > 0) reader.assign('b_info.type.pv.e820_host', flagJson(true));
  const treeDevices = reader.specs('dtdev').map((spec) => ({ ...spec, members: [['path', spec.text] as const] }));
  return { pciDevices, treeDevices };
}

/** Reads the lists of devices from `ioports` to `usbdev`. */
export function readDevices(reader: XlReader): Omit<Devices, 'pciDevices' | 'treeDevices' | 'keyboards'> {
  readResources(reader);
  const disks = readDisks(reader);
  const sharedFolders = readNamedParts(reader, 'p9s');
  const tpms = readNamedParts(reader, 'vtpms');
  const displays = readDisplays(reader);
  const sockets = readNamedParts(reader, 'pvcallsifs');
  const soundCards = readSoundCards(reader);
  const channels = readChannels(reader);
  const vifs = readVifs(reader);
  if (reader.list('vif2') !== undefined) {
    reader.say('WARNING: vif2: netchannel2 is deprecated and not supported by xl');
    const how = 'not supported by xl: use `vif`';
    reader.diagnostics.push(report.deprecated(reader.origin('vif2'), { key: 'vif2', how }));
  }
  const frameBuffers = readFrameBuffers(reader);
  const usbControllers = readNamedParts(reader, 'usbctrls');
  const usbDevices = readNamedParts(reader, 'usbdevs');
  return {
    ...{ disks, vifs, frameBuffers, sharedFolders, tpms, displays, sockets, soundCards, channels },
    ...{ usbControllers, usbDevices },
  };
}

/** Reads `device_model` and what chooses the device model. Returns whether it gets a stub domain. */
export function readDeviceModel(reader: XlReader, isHvm: boolean): boolean | undefined {
  adviseDeviceModel(reader, isHvm);
  const override = textMember(reader, 'device_model_override', 'b_info.device_model');
  const key = 'device_model_version';
  const version = reader.text(key);
  if (version === 'qemu-xen-traditional' || version === 'qemu-xen') {
    reader.assign(`b_info.${key}`, version.replaceAll('-', '_'));
  } else if (version !== undefined) {
    reader.exit(1, `Unknown device_model_version "${version}" specified`);
    const notes = [{ message: 'values are `qemu-xen` and `qemu-xen-traditional`' }];
    reader.diagnostics.push(report['bad-choice'](reader.origin(key), { key, value: showBytes(version) }, { notes }));
  } else if (override !== undefined) {
    reader.say('WARNING: device model override given without specific DM version');
  }
  return reader.flag('device_model_stubdomain_override');
}

function adviseDeviceModel(reader: XlReader, isHvm: boolean): void {
  const key = 'device_model';
  const text = reader.text(key);
  const setting = reader.setting(key);
  if (text === undefined || setting === undefined) return;
  reader.say('WARNING: ignoring device_model directive.');
  reader.say('WARNING: Use "device_model_override" instead if you really want a non-default device_model');
  if (text.includes('stubdom-dm')) {
    reader.say(
      isHvm
        ? 'WARNING: Or use "device_model_stubdomain_override" if you  want to enable stubdomains'
        : 'WARNING: ignoring "device_model_stubdomain_override" directive for pv guest',
    );
  }
  const how = 'ignored: use `device_model_override`';
  reader.diagnostics.push(report.deprecated(valueOrigin(setting), { key, how }));
}

/** Reads how the device model is run. */
export function readDeviceModelDetails(reader: XlReader): void {
  textMember(reader, 'device_model_user', 'b_info.device_model_user');
  textMember(reader, 'stubdomain_kernel', 'b_info.stubdomain_kernel');
  textMember(reader, 'stubdomain_cmdline', 'b_info.stubdomain_cmdline');
  textMember(reader, 'stubdomain_ramdisk', 'b_info.stubdomain_ramdisk');
  memoryMember(reader, 'stubdomain_memory', 'b_info.stubdomain_memkb');
  for (const suffix of ['', '_pv', '_hvm']) {
    const key = `device_model_args${suffix}`;
    const list = reader.list(key);
    if (list !== undefined) {
      reader.assign(`b_info.extra${suffix}`, textsJson(reader.leading(key, list).map((item) => item.text)));
    } else if (reader.setting(key) !== undefined) {
      reader.exit(3, `xl: Unable to parse ${key}.`);
      reader.diagnostics.push(report['must-be-list'](reader.origin(key), { key }));
    }
  }
}

/** Reads VNC and SDL. A PV guest without `vfb` gets a frame buffer when `vnc` asks for one. */
export function readDisplay(reader: XlReader, isPv: boolean, frameBuffers: number): void {
  const hasOwn = !isPv || frameBuffers > 0;
  if (!hasOwn) {
    const vnc = reader.long('vnc');
    if (vnc === undefined || vnc === 0n) return;
  }
  const path = hasOwn ? 'b_info.type.hvm.' : 'vfbs.';
  flagMember(reader, 'vnc', `${path}vnc.enable`);
  textMember(reader, 'vnclisten', `${path}vnc.listen`);
  textMember(reader, 'vncpasswd', `${path}vnc.passwd`);
  intMember(reader, 'vncdisplay', `${path}vnc.display`);
  flagMember(reader, 'vncunused', `${path}vnc.findunused`);
  flagMember(reader, 'sdl', `${path}sdl.enable`);
  flagMember(reader, 'opengl', `${path}sdl.opengl`);
  textMember(reader, 'display', `${path}sdl.display`);
  textMember(reader, 'xauthority', `${path}sdl.xauthority`);
  if (hasOwn) return;
  textMember(reader, 'keymap', `${path}keymap`);
  const empty: JsonValue = { members: [] };
  reader.assign('vfbs', empty);
}
