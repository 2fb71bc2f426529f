/**
 * What Dewar says about a snippet of a page.
 *
 * - `policy`: statements, each put into its section of a small policy with the classes of Xen 4.17 (`prelude.ts`).
 *   `in-order` keeps them together among the rules; `mls`, `version=24` and `classes=4.13` change how it is compiled;
 *   `loaded` has Xen 4.17 load the result, `to=4.21` asks what another release makes of it, `lint=CODE` looks for one
 *   finding of `dewar lint`.
 * - `policy.conf`: a whole policy.
 * - `policy-directory`: files put into Dewar's example policy, each after a line `==> PATH <==`; what stands before the
 *   first such line is a module of the site. `without=PATH` takes a file away.
 * - `m4`: text for m4.
 * - `xl.cfg`: a guest, with a name, a kernel and its type where they are missing, unless `whole` is said.
 * - `binary`: a compiled policy, changed: `bytes 0x10 = 18 00`, `cut 100`, `append 00`, `name one = two`.
 * - `scenario`: a file for `dewar test`, which is read and not run.
 * - `devices`: a file for `dewar lab new --devices`.
 * - `host`: a simulated host with the example policy: lines `policy STATEMENT`, `guest LINE`, `dewar COMMAND`.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLASK_MODES, type FlaskMode, Hypervisor } from '@dewar/hypervisor';
import { readDeviceFile } from '@dewar/lab';
import { readScenarios } from '@dewar/lab/rehearsal';
import { compareReleases, compatDiagnostics, needDiagnostics, permissionUses } from '@dewar/policy/analysis';
import { type CompileOptions, compileDirectory, compileText, type PolicyFiles } from '@dewar/policy/compiler';
import { lintPolicy } from '@dewar/policy/linter';
import { runM4 } from '@dewar/policy/m4';
import { readPolicydb } from '@dewar/policy/policydb';
import { BASELINE_RELEASE, XEN_RELEASES, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { SecurityServer } from '@dewar/policy/security-server';
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { LibxlHost, type OperationReport } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { ROOT } from './declared-codes.ts';
import { policyWith } from './prelude.ts';
import type { Snippet } from './snippets.ts';

function compileOptions({ words, values }: Snippet): CompileOptions {
  return { isMls: words.has('mls'), version: values.get('version') === '24' ? 24 : 30 };
}

function releaseOf(name: string): XenReleaseName {
  const found = XEN_RELEASES.find((release) => release === name);
  if (found === undefined) throw new Error(`no release is called ${name}`);
  return found;
}

function classesOf({ values }: Snippet): XenReleaseName {
  return releaseOf(values.get('classes') ?? '4.17');
}

/** The policy of a snippet as text. */
function policyTextOf(snippet: Snippet): string {
  const { text, words } = snippet;
  const classes = classesOf(snippet);
  return policyWith(text, { isMls: words.has('mls'), classes, keepsOrder: words.has('in-order') });
}

function runPolicy(snippet: Snippet, text: string): readonly Diagnostic[] {
  const compiled = compileText(new SourceText('policy.conf', text), compileOptions(snippet));
  const { diagnostics, bytes, policy } = compiled;
  const to = snippet.values.get('to');
  if (to !== undefined && policy !== undefined) {
    const difference = compareReleases(classesOf(snippet), releaseOf(to));
    const read = readPolicydb(bytes ?? new Uint8Array());
    const needs = 'diagnostic' in read ? [] : needDiagnostics(read.policy, difference);
    return [...diagnostics, ...needs, ...compatDiagnostics(permissionUses(policy, difference, text), difference)];
  }
  const only = snippet.values.get('lint');
  if (only !== undefined && bytes !== undefined) {
    const read = readPolicydb(bytes);
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    const release = xenRelease(classesOf(snippet));
    return [...diagnostics, ...lintPolicy({ policy: read.policy, compiled, release }, { only: [only] })];
  }
  if (!snippet.words.has('loaded') || bytes === undefined) return diagnostics;
  const outcome = new SecurityServer({ release: xenRelease('4.17') }).loadPolicy(bytes);
  return outcome.kind === 'refused' ? [...diagnostics, ...outcome.diagnostics] : diagnostics;
}

const EXAMPLE = join(ROOT, 'policies/example');

/** Dewar's example policy with some of its files replaced, some taken away, and a module `site`. */
function exampleWith(files: ReadonlyMap<string, string>, without: readonly string[]): PolicyFiles {
  const own = (path: string): string | undefined => {
    if (without.includes(path)) return undefined;
    const file = join(EXAMPLE, path);
    return files.get(path) ?? (existsSync(file) ? readFileSync(file, 'latin1') : undefined);
  };
  return {
    readText: (path) => {
      const text = own(path);
      const hasSite = [...files.keys()].some((name) => name.startsWith('modules/site.'));
      if (path !== 'modules/modules.conf' || !hasSite || text === undefined) return text;
      return `${text}site = on\n`;
    },
    listNames: (directory) => (existsSync(join(EXAMPLE, directory)) ? readdirSync(join(EXAMPLE, directory)) : []),
    describe: (path) => path,
  };
}

function runDirectory(snippet: Snippet): readonly Diagnostic[] {
  const files = new Map<string, string>();
  let path = 'modules/site.te';
  for (const line of snippet.text.split(/(?<=\n)/)) {
    const header = /^==> (\S+) <==\n$/.exec(line)?.[1];
    if (header !== undefined) path = header;
    else if (line !== '') files.set(path, (files.get(path) ?? '') + line);
  }
  if ([...files.keys()].some((name) => name.startsWith('modules/site.')) && !files.has('modules/site.te'))
    files.set('modules/site.te', '');
  const without = snippet.values.get('without')?.split(',') ?? [];
  return compileDirectory(exampleWith(files, without), compileOptions(snippet)).diagnostics;
}

const GUEST: readonly (readonly [key: string, line: string])[] = [
  ['name', "name = 'guest'\n"],
  ['type', "type = 'pv'\n"],
  ['kernel', "kernel = '/boot/vmlinuz'\n"],
];

/** The configuration of a guest, with what it cannot do without. */
function guestText(text: string): string {
  const missing = GUEST.filter(
    ([key]) =>
      !new RegExp(`^${key}\\b`, 'm').test(text) &&
      !(key === 'type' && /^builder\b/m.test(text)) &&
      !(key === 'kernel' && /^type *= *'hvm'/m.test(text)),
  );
  return missing.map(([, line]) => line).join('') + text;
}

function runXlCfg(text: string): readonly Diagnostic[] {
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text))).diagnostics;
}

function hexBytes(text: string): number[] {
  return text
    .trim()
    .split(/\s+/)
    .map((byte) => Number.parseInt(byte, 16));
}

/** The prelude's policy as bytes, changed line by line. */
function changedBinary(snippet: Snippet): Uint8Array {
  const text = policyTextOf({ ...snippet, text: '' });
  const { bytes } = compileText(new SourceText('policy.conf', text), compileOptions(snippet));
  let binary = Buffer.from(bytes ?? []);
  for (const line of snippet.text.split('\n')) {
    const at = /^bytes (0x[0-9a-f]+|[0-9]+) = (.*)$/.exec(line);
    const cut = /^cut ([0-9]+)$/.exec(line);
    const more = /^append (.*)$/.exec(line);
    const name = /^name (\S+) = (\S+)$/.exec(line);
    if (at !== null) binary.set(hexBytes(at[2] ?? ''), Number(at[1]));
    else if (cut !== null) binary = binary.subarray(0, Number(cut[1]));
    else if (more !== null) binary = Buffer.concat([binary, Buffer.from(hexBytes(more[1] ?? ''))]);
    else if (name !== null)
      binary = Buffer.from(binary.toString('latin1').replace(name[1] ?? '', name[2] ?? ''), 'latin1');
    else if (line !== '' && !line.startsWith('#')) throw new Error(`no change of a binary: ${line}`);
  }
  return binary;
}

function runBinary(snippet: Snippet): readonly Diagnostic[] {
  const read = readPolicydb(changedBinary(snippet));
  return 'diagnostic' in read ? [read.diagnostic] : [];
}

/** A host that boots with the example policy and some statements more. */
function bootExample(
  statements: readonly string[],
  flask: FlaskMode = 'enforcing',
  release: XenReleaseName = BASELINE_RELEASE,
): { hypervisor: Hypervisor; host: LibxlHost } {
  const isConstraint = (statement: string): boolean => /^constrain\b/.test(statement);
  const lines = (keep: (statement: string) => boolean): string =>
    statements
      .filter(keep)
      .map((one) => `${one}\n`)
      .join('');
  const files = new Map([
    ['modules/site.te', lines((one) => !isConstraint(one))],
    ['modules/site.cons', lines(isConstraint)],
  ]);
  const { bytes, diagnostics } = compileDirectory(exampleWith(files, []), { release });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  const outcome = Hypervisor.boot({ policy: bytes, flask, release });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return { hypervisor: outcome.hypervisor, host: new LibxlHost(outcome.hypervisor) };
}

/** Runs one command of a scenario; `files` holds what the commands before it have saved. */
async function runCommand(
  host: LibxlHost,
  command: string,
  guest: string,
  files: Map<string, unknown>,
): Promise<readonly Diagnostic[]> {
  const [verb, first = '', second = ''] = command.split(/\s+/);
  const uuid = '0d8b4b4e-7b0f-4f0e-9c1a-3c58c3c1f001';
  const report = async (): Promise<OperationReport<unknown>> => {
    switch (verb) {
      case 'create': {
        const { config, diagnostics } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', guest)));
        if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
        const onResidual = command.endsWith(' --on-residual refuse') ? 'refuse' : 'warn';
        return host.create(config, { uuid, onResidual });
      }
      case 'pause':
      case 'unpause':
      case 'destroy':
        return host[verb](first);
      case 'rename':
        return host.rename(first, second);
      case 'set-bool':
        return host.setBoolean(first, second === '1');
      case 'setenforce':
        return host.setenforce(first === '1');
      case 'dump-core':
        return host.dumpCore(first, 'core');
      case 'shutdown':
      case 'reboot':
        return first === '-ww' ? host[verb](second, { wait: 'death' }) : host[verb](first);
      case 'save': {
        const saved = await host.save(first);
        files.set(second, saved.value);
        return saved;
      }
      case 'restore':
        return host.restore(files.get(first) ?? guest, { uuid, file: first });
      case 'pci-assignable-add':
        return host.pciAssignableAdd(first);
      case 'pci-attach':
        return host.pciAttach(first, second);
      case 'pci-detach':
        return host.pciDetach(first, second);
      case 'label-pci':
        return host.labelPci(first, second);
      case 'init-xenstore-domain':
        return host.initXenstoreDomain({ label: second, memoryMib: 8, uuid });
      default:
        throw new Error(`no command of a scenario: ${command}`);
    }
  };
  return (await report()).diagnostics;
}

async function runHost(snippet: Snippet): Promise<readonly Diagnostic[]> {
  const lines = { policy: [] as string[], guest: [] as string[], dewar: [] as string[], xen: [] as string[] };
  for (const line of snippet.text.trim().split('\n')) {
    const [, kind, rest = ''] = /^(policy|guest|dewar|xen)\s+(.*)$/.exec(line) ?? [];
    if (kind !== 'policy' && kind !== 'guest' && kind !== 'dewar' && kind !== 'xen')
      throw new Error(`no line of a scenario: ${line}`);
    lines[kind].push(rest);
  }
  const flask = FLASK_MODES.find((mode) => lines.xen.includes(`flask=${mode}`));
  const release = XEN_RELEASES.find((one) => lines.xen.includes(`release=${one}`));
  const { host } = bootExample(lines.policy, flask, release);
  const found: Diagnostic[] = [];
  const files = new Map<string, unknown>();
  const guest = guestText(lines.guest.map((line) => `${line}\n`).join(''));
  for (const command of lines.dewar) found.push(...(await runCommand(host, command, guest, files)));
  return found;
}

/** The whole text of a snippet that is one text: with its prelude, as Dewar reads it. */
export function wholeText(snippet: Snippet): string | undefined {
  switch (snippet.language) {
    case 'policy':
      return policyTextOf(snippet);
    case 'policy.conf':
    case 'm4':
    case 'scenario':
    case 'devices':
      return snippet.text;
    case 'xl.cfg':
      return snippet.words.has('whole') ? snippet.text : guestText(snippet.text);
    default:
      return undefined;
  }
}

/** What is said of a scenario file. */
function runScenarioFile(text: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  readScenarios(new SourceText('guest.scenario.yaml', text), (diagnostic) => found.push(diagnostic));
  return found;
}

/** What is said of a file of devices. */
function runDeviceFile(text: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  readDeviceFile(new SourceText('host.devices', text), (diagnostic) => found.push(diagnostic));
  return found;
}

/** All diagnostics of a text that is read like that of a snippet. */
export function runText(snippet: Snippet, text: string): readonly Diagnostic[] {
  switch (snippet.language) {
    case 'scenario':
      return runScenarioFile(text);
    case 'devices':
      return runDeviceFile(text);
    case 'm4':
      return runM4([new SourceText('policy.m4', text)]).diagnostics;
    case 'xl.cfg':
      return runXlCfg(text);
    default:
      return runPolicy(snippet, text);
  }
}

/** All diagnostics that a snippet gives. */
export async function runSnippet(snippet: Snippet): Promise<readonly Diagnostic[]> {
  const text = wholeText(snippet);
  if (text !== undefined) return runText(snippet, text);
  switch (snippet.language) {
    case 'policy-directory':
      return runDirectory(snippet);
    case 'binary':
      return runBinary(snippet);
    case 'host':
      return runHost(snippet);
    default:
      throw new Error(`no snippet is written in ${snippet.language}`);
  }
}
