/**
 * `xl create`.
 *
 * Follows Xen `tools/xl/xl_vmcontrol.c`, `main_create` and `create_domain`.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { SourceText } from '@dewar/policy/text';
import type { GuestConsole } from '@dewar/toolstack';
import { request } from '../commands/lifecycle.ts';
import { byteText, print, printLine } from '../terminal.ts';
import { isOddFile, readForXl } from './read-for-xl.ts';
import { printXlHelp, sayUnattended, type XlCall } from './xl-call.ts';

/** XEN: `ERROR_INVAL` and `ERROR_FAIL`, as exit statuses. */
const INVALID = 6;
const FAILED = 3;
const WRONG_USE = 2;
/** The exit status of a shell for a program that a signal ended. */
const ABORTED = 134;

/** The file, and the settings behind it; undefined where there is a word too many. */
function readWords({
  words,
  options,
}: XlCall): { readonly file: string | undefined; readonly extra: readonly string[] } | undefined {
  let file = options.findLast(({ letter }) => letter === 'f')?.value;
  const extra: string[] = [];
  for (const word of words) {
    if (word.includes('=')) extra.push(word);
    else if (file === undefined) file = word;
    else return undefined;
  }
  return { file, extra };
}

/** Carries it out. */
export async function createAsXl(call: XlCall): Promise<number> {
  const { options, flags, terminal } = call;
  const has = (letter: string): boolean => options.some((one) => one.letter === letter);
  const words = readWords(call);
  if (words === undefined) {
    printXlHelp('create', terminal);
    return WRONG_USE;
  }
  const { file, extra } = words;
  if (file === undefined) {
    printLine(terminal.err, 'Config file not specified and none in save file');
    return INVALID;
  }
  if (file !== '/dev/null' && isOddFile(file)) {
    // XEN: `libxl_read_file_contents`, with an errno that says nothing of it, and one that it makes up.
    const words = `${file} is not a plain file: Success`;
    printLine(terminal.err, `libxl: error: libxl_utils.c:346:libxl_read_file_contents: ${words}`);
    printLine(terminal.err, `Failed to read config file: ${file}: Inappropriate ioctl for device`);
    return FAILED;
  }
  // XEN: this one file stands for an empty text.
  const found = file === '/dev/null' ? { kind: 'read' as const, bytes: new Uint8Array() } : readForXl(file);
  if (found.kind === 'failed') {
    printLine(terminal.err, `Failed to read config file: ${file}: ${found.reason}`);
    return FAILED;
  }
  if (!has('q')) printLine(terminal.err, `Parsing config from ${file}`);
  const { parseXlCfg, printDomainConfigJson, readDomainConfig } = await import('@dewar/toolstack/xl-cfg');
  const source = new SourceText(byteText(file), Buffer.from(found.bytes).toString('latin1'));
  const { xl, config, diagnostics } = readDomainConfig(parseXlCfg(source, extra.map(byteText)));
  print(terminal.err, xl.stderr);
  if (xl.kind === 'exits') return xl.code;
  if (xl.kind === 'dies') return ABORTED;
  const isDryRun = call.isDryRun || has('n');
  if (isDryRun || has('d')) print(isDryRun ? terminal.out : terminal.err, printDomainConfigJson(xl.config));
  const problems = diagnostics.filter(({ severity }) => severity === 'error');
  for (const { message } of problems) printLine(terminal.err, `dewar: ${message}`);
  if (isDryRun) return 0;
  // A label that is none is refused by Xen; the rest, xl would make something of.
  const isLabelsAlone = problems.every(({ code }) => code === 'cfg/label-shape');
  const wanted = config ?? (isLabelsAlone ? xl.config : undefined);
  if (wanted === undefined) {
    printLine(terminal.err, 'dewar: xl would go on; what comes of it is not rehearsed');
    return FAILED;
  }
  sayUnattended(call);
  const onConsole = ({ text }: GuestConsole): void => print(terminal.out, text);
  return request(
    flags,
    terminal,
    (host) =>
      host.create(wanted, {
        uuid: randomUUID(),
        paused: has('p'),
        unwatched: has('e'),
        ...(has('c') ? { onConsole } : {}),
      }),
    () => undefined,
  );
}
