/**
 * `dewar log`: the changes that Dewar made to the real host.
 *
 * @module
 */
import { Journal, type JournalEntry } from '@dewar/xen';
import { EXIT, FileError, reasonOf } from '../failures.ts';
import { realHostFolder } from '../host-session.ts';
import { jsonText } from '../report-json.ts';
import { byteText, coloursFor, print, printLine, safeLine, type Terminal } from '../terminal.ts';

function pairs(details: JournalEntry['details']): string {
  return Object.entries(details)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

/** All changes; a journal that may not be read is not one without changes. */
function readJournal(): readonly JournalEntry[] {
  const folder = realHostFolder();
  try {
    return new Journal(folder).read();
  } catch (error) {
    throw new FileError(`cannot read the journal in \`${folder}\`: ${reasonOf(error)}`);
  }
}

export function runLog(
  flags: { readonly isJson: boolean; readonly last: number | undefined },
  terminal: Terminal,
): number {
  const all = readJournal();
  const entries = flags.last === undefined ? all : all.slice(-flags.last);
  const { out } = terminal;
  if (flags.isJson) {
    print(out, jsonText(entries));
    return EXIT.done;
  }
  const colours = coloursFor(out);
  for (const { time, user, operation, details, outcome, result } of entries) {
    const mark = outcome === 'done' ? colours.good(outcome) : colours.error(outcome);
    const said = outcome === 'failed' ? ` (${pairs(result)})` : '';
    printLine(
      out,
      safeLine(byteText(`${time} ${user.padEnd(8)} ${operation.padEnd(14)} `)) +
        mark.concat(' ', safeLine(byteText(`${pairs(details)}${said}`))),
    );
  }
  if (entries.length === 0) printLine(out, 'Dewar has changed nothing on this host');
  const open = entries.filter(({ outcome }) => outcome === 'unfinished');
  if (open.length > 0)
    printLine(
      terminal.err,
      `${open.length} change${open.length === 1 ? ' was' : 's were'} begun and never ended: a command was killed. \`dewar list\` shows what there is`,
    );
  return EXIT.done;
}
