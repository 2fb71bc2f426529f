/**
 * Reads the entries of `disk`, and says what is wrong with them.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_disk_config`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import { showBytes } from '../show-text.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor } from './device.ts';
import { DiskEntry, type Problem } from './disk-entry.ts';

/** What our diagnostic says for a message of libxlutil. */
function explain({ message, near }: Problem): string {
  const shown = near === undefined ? '' : `\`${showBytes(near.replace(/,$/, ''))}\``;
  const [, repeated] = /^(.*) respecified$/.exec(message) ?? [];
  const [, unknown] = /^unknown value for (.*)$/.exec(message) ?? [];
  if (repeated !== undefined) return `${shown} gives \`${repeated.replace('_', '-')}\` a second time`;
  if (unknown !== undefined)
    return `${shown} is no value of \`${unknown === 'type' ? 'devtype' : unknown.replace('_', '-')}\``;
  switch (message) {
    case 'no vdev specified':
      return 'there is no `vdev`';
    case 'no target specified (and device not removable)':
      return 'there is no `target`, and the disk is no CD';
    case 'unknown deprecated type':
      return `${shown} is no kind of device`;
    case 'unknown deprecated disk prefix':
      return `${shown} is no prefix of a target`;
    case 'too many positional parameters':
      return `${shown} is one part too many`;
    case 'unknown parameter':
      return `${shown} begins no part that xl knows`;
    default:
      return `${shown} has no meaning`;
  }
}

// XEN: YY_EXIT_FAILURE of the scanner that flex makes.
const FLEX_FAILURE = 2;

/** Reads the entries of `disk`; xl exits at the first that is wrong. */
export function readDisks(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'disk');
  return reader.specs('disk').map((spec) => readDisk(reader, advisor, [spec], spec));
}

/** Reads one disk out of one text or more; `whole` is where all of them stand. */
export function readDisk(
  reader: XlReader,
  advisor: DeviceAdvisor,
  specs: readonly DeviceSpec[],
  whole: DeviceSpec,
): Device {
  const entry = new DiskEntry();
  let read: DeviceSpec = whole;
  for (const spec of specs) {
    read = spec;
    const known = entry.misread.length;
    entry.read(spec.text);
    const why = 'xl 4.17 does not know the word and takes it for a part without a name';
    for (const [start, end] of entry.misread.slice(known)) advisor.ignoreSilently(spec, start, end, why);
    if (entry.problems.length > 0) break;
  }
  entry.finish();
  if (entry.problems.length > 0) {
    for (const problem of entry.problems) {
      if (entry.isJammed && problem === entry.problems.at(-1)) reader.exit(FLEX_FAILURE, 'flex scanner jammed');
      const near = problem.near === undefined ? '' : `: near \`${problem.near}'`;
      const { name } = reader.cfg.source;
      reader.say(`${name}: config parsing error in disk specification: ${problem.message}${near} in \`${read.text}'`);
      advisor.refuse(read, problem.start, problem.end, explain(problem));
    }
    reader.exit(1);
  }
  return { ...whole, members: entry.members };
}
