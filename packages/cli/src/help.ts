/**
 * `dewar help`: the page of a diagnostic code, the codes of an area, or the options of a command.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearestName } from '@dewar/policy/text';
import { EXIT, UsageError } from './failures.ts';
import { type Colours, coloursFor, print, printLine, type Terminal } from './terminal.ts';

/** The pages that ship with Dewar. Their place is the same seen from the sources and from the bundle. */
const PAGES: string = fileURLToPath(new URL('../../../docs/diagnostics', import.meta.url));

/** The page of a diagnostic code, one character per byte. */
export interface HelpPage {
  readonly code: string;
  /** What the code means, from the heading. */
  readonly title: string;
  /** The first paragraph on one line, without the severity. */
  readonly summary: string;
  /** The whole page, as Markdown. */
  readonly text: string;
}

const CODE = /^[a-z][a-z0-9]*\/[a-z][a-z0-9-]*$/;

function parsePage(code: string, text: string): HelpPage {
  const [heading = '', ...rest] = text.split('\n');
  const title = heading.replace(/^# /, '').replace(new RegExp(`^${code}: `), '');
  const paragraphs = rest
    .join('\n')
    .trim()
    .split(/\n\s*\n/);
  const summary = (paragraphs[0] ?? '').replaceAll('\n', ' ').replace(/^(?:Error|Warning|Note)\. /, '');
  return { code, title, summary, text };
}

/** The page of a code; undefined where there is none. */
export function helpPage(code: string): HelpPage | undefined {
  // A code comes from the user: nothing but a code may become a path.
  if (!CODE.test(code)) return undefined;
  const file = join(PAGES, `${code}.md`);
  return existsSync(file) ? parsePage(code, readFileSync(file, 'latin1')) : undefined;
}

function areas(): string[] {
  try {
    return readdirSync(PAGES, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}

function codesOf(area: string): string[] {
  return readdirSync(join(PAGES, area))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${area}/${name.slice(0, -'.md'.length)}`)
    .sort();
}

/** Every code that has a page. */
export function documentedCodes(): string[] {
  return areas().flatMap(codesOf);
}

/** A page for reading on a terminal: headings stand out, snippets are indented and say whether they are right. */
function printPage({ text }: HelpPage, { out }: Terminal): void {
  const colours: Colours = coloursFor(out);
  let isSnippet = false;
  for (const line of text.trimEnd().split('\n')) {
    const fence = /^```(\S*) ?(wrong|right)?/.exec(line);
    if (fence !== null) {
      isSnippet = !isSnippet;
      const { 2: kind } = fence;
      if (isSnippet && kind !== undefined)
        printLine(out, kind === 'wrong' ? colours.error('  wrong:') : colours.good('  right:'));
    } else if (isSnippet) printLine(out, line === '' ? '' : `    ${line}`);
    else if (line.startsWith('#')) printLine(out, colours.strong(line.replace(/^#+ /, '')));
    else
      printLine(
        out,
        line.replaceAll(/\*\*(.*?)\*\*/g, (_, words: string) => colours.strong(words)),
      );
  }
}

/** The code that a user who typed `topic` probably meant. */
function nearestCode(topic: string, codes: readonly string[]): string | undefined {
  const named = codes.filter((code) => code.slice(code.indexOf('/') + 1) === topic);
  return named[0] ?? nearestName(topic, codes);
}

/** What help asks of a command. */
interface Described {
  name(): string;
  aliases(): readonly string[];
  helpInformation(): string;
}

/** Answers `dewar help TOPIC`; without a topic, lists the commands. */
export function runHelp(
  program: Described & { readonly commands: readonly Described[] },
  topic: string | undefined,
  terminal: Terminal,
): number {
  if (topic === undefined) {
    print(terminal.out, program.helpInformation());
    return EXIT.done;
  }
  const command = program.commands.find((one) => one.name() === topic || one.aliases().includes(topic));
  if (command !== undefined) {
    print(terminal.out, command.helpInformation());
    return EXIT.done;
  }
  // A code may be pasted as messages print it, in brackets.
  const code = topic.replace(/^\[(.*)\]$/, '$1');
  const page = helpPage(code);
  if (page !== undefined) {
    printPage(page, terminal);
    return EXIT.done;
  }
  const known = areas();
  const area = code.replace(/\/$/, '');
  if (known.includes(area)) {
    for (const one of codesOf(area))
      printLine(terminal.out, `${one.padEnd(34)} ${helpPage(one)?.title ?? ''}`.trimEnd());
    return EXIT.done;
  }
  const near =
    nearestName(
      code,
      program.commands.map((one) => one.name()),
    ) ?? nearestCode(code, documentedCodes());
  const hint = near === undefined ? `; areas of codes are ${known.join(', ')}` : `; did you mean \`${near}\`?`;
  throw new UsageError(`there is no help on \`${topic}\`${hint}`);
}
