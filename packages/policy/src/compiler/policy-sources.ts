/**
 * The files of a policy directory, in the order in which m4 reads them.
 *
 * The layout and the order are those of Xen's `tools/flask/policy` (its `Makefile.common`; before Xen 4.8 its `Makefile`,
 * which has the modules in folders of `policy/modules`, and one file of constraints). Classes, permissions and
 * initial SIDs come from the Xen tree around the directory where there is one, and from the tables of a release
 * otherwise.
 * Start reading at `collectPolicySources`.
 *
 * @module
 */
import type { XenRelease } from '../releases/index.ts';
import { type Fix, type Note, nearestName, type Origin, type Report, SourceText, type Span } from '../text/index.ts';
import { source as messages } from './diagnostics.ts';
import type { MissingMacroFiles } from './macro-files.ts';

/** A policy directory, however it is stored. Paths are relative to it and use `/`. */
export interface PolicyFiles {
  /** The content, one character per byte; undefined where there is no such file. */
  readText(path: string): string | undefined;
  /** Names in a directory; empty where there is none. */
  listNames(directory: string): readonly string[];
  /** How a path is to be shown to the user. */
  describe(path: string): string;
}

/** Where the tables of the hypervisor lie, seen from `tools/flask/policy` of a Xen tree. */
const XEN_TABLES = '../../../xen/xsm/flask/policy';

export interface PolicySources {
  readonly sources: readonly SourceText[];
  /** Modules that `modules.conf` does not switch on, with their texts: those that it names first. */
  readonly modulesOff: readonly {
    readonly name: string;
    readonly text: string;
    /** Whether `modules.conf` has a line for it. */
    readonly isNamed: boolean;
  }[];
  /** Files of macros that are not there. */
  readonly missingMacroFiles: MissingMacroFiles;
  /** Whether the classes come from the Xen tree around the directory, not from the tables of a release. */
  readonly hasTables: boolean;
}

/** Where a policy directory has its modules. */
interface Layout {
  readonly conf: string;
  /** The modules that are switched on, in the order in which m4 reads them, as paths without their ending. */
  readonly paths: (on: readonly string[]) => readonly string[];
  /** The path of one module without its ending. */
  readonly pathOf: (module: string) => string;
  /** The file of constraints, where it is not each module that has one. */
  readonly constraints: string | undefined;
}

const LAYOUT: Layout = {
  conf: 'modules/modules.conf',
  paths: (on) => on.map((module) => `modules/${module}`),
  pathOf: (module) => `modules/${module}`,
  constraints: undefined,
};

/** The layout of Xen 4.3 to 4.7: `policy/modules/xen/xen.te`. The order is that of the paths, not of `modules.conf`. */
function oldLayout({ listNames }: PolicyFiles): Layout {
  const found = listNames('policy/modules')
    .flatMap((layer) => listNames(`policy/modules/${layer}`).map((name) => `policy/modules/${layer}/${name}`))
    .filter((path) => path.endsWith('.te'))
    .map((path) => path.slice(0, -'.te'.length))
    .toSorted();
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  const pathOf = (module: string): string =>
    found.find((path) => nameOf(path) === module) ?? `policy/modules/xen/${module}`;
  return {
    conf: 'policy/modules.conf',
    paths: (on) => [
      ...found.filter((path) => on.includes(nameOf(path))),
      ...on.filter((module) => !found.some((path) => nameOf(path) === module)).map(pathOf),
    ],
    pathOf,
    constraints: 'policy/constraints',
  };
}

interface Modules {
  readonly on: readonly string[];
  readonly off: readonly string[];
  /** Where each that is on is named. */
  readonly places: ReadonlyMap<string, Origin>;
}

/** What a word in place of `on` or `off` was meant for; undefined where nobody can tell. */
function meantState(word: string): 'on' | 'off' | undefined {
  if (/^(?:on|yes|true|1|base|module)\b/i.test(word)) return 'on';
  return /^(?:off|no|false|0)\b/i.test(word) ? 'off' : undefined;
}

/** The line that a line of no effect was meant for, as a fix. */
function meantLine(line: string, span: Span): Fix[] {
  const [, name, word = ''] = /^(?:.*\/)?([A-Za-z][\w-]*?)(?:\.te)?\s*[=:\s]\s*([^\s#]*)/.exec(line) ?? [];
  const state = meantState(word);
  if (name === undefined || state === undefined) return [];
  const newText = `${name} = ${state}`;
  return newText === line ? [] : [{ title: `did you mean \`${newText}\`?`, edits: [{ span, newText }] }];
}

/** What `modules.conf` says. As in Xen, a module is on where the third word of its line is `on`. */
function readModules(file: SourceText, report: Report): Modules {
  const on: string[] = [];
  const off: string[] = [];
  const places = new Map<string, Origin>();
  const named = new Map<string, { readonly origin: Origin; readonly isOn: boolean }>();
  let start = 0;
  for (const line of file.text.split('\n')) {
    // A carriage return is part of a word, as for awk, and what stands behind a byte order mark begins no line.
    const words = line.replaceAll(/^[ \t]+|[ \t]+$/g, '').split(/[ \t]+/);
    const isMarked = start === 0 && line.startsWith('\xef\xbb\xbf');
    const name = (words[0] ?? '').slice(isMarked ? 3 : 0);
    const state = words[2];
    const at = start + line.indexOf(words[0] ?? '');
    const origin: Origin = { kind: 'written', span: { source: file, start: at, end: at + name.length } };
    const isOn = state === 'on' && !isMarked && /^[a-z]/.test(name);
    if (isOn) {
      on.push(name);
      if (!places.has(name)) places.set(name, origin);
    } else if (/^[^#\s]/.test(name)) {
      off.push(/^[A-Za-z][\w-]*/.exec(name.replace(/^.*\//, ''))?.[0] ?? name);
      if (!/^[a-z]/.test(name) || state !== 'off' || words[1] !== '=') {
        const span: Span = { source: file, start: at, end: start + line.trimEnd().length };
        const fixes = meantLine(file.text.slice(span.start, span.end), span);
        const notes = [{ message: 'it switches nothing on: the module is left out' }];
        report(messages['module-line']({ kind: 'written', span }, {}, { fixes, notes }));
      }
    }
    const earlier = named.get(name);
    if (earlier !== undefined && /^[a-z]/.test(name)) {
      const notes: Note[] = [{ message: 'the first is here', origin: earlier.origin }];
      if (isOn && earlier.isOn) notes.push({ message: 'it is read twice, and what it declares is declared twice' });
      else if (isOn || earlier.isOn) notes.push({ message: 'it is on, as one of the two says so' });
      report(messages['module-twice'](origin, { module: name }, { notes }));
    } else named.set(name, { origin, isOn });
    start += line.length + 1;
  }
  return { on, off: off.filter((name) => !on.includes(name)), places };
}

/** The tables of a release as policy text. */
function releaseTables(release: XenRelease): { classes: SourceText; sids: SourceText; vectors: SourceText } {
  const lines = (file: string, text: readonly string[]): SourceText =>
    new SourceText(`xen-${release.name}/${file}`, text.map((line) => `${line}\n`).join(''));
  return {
    classes: lines(
      'security_classes',
      release.classes.map(({ name }) => `class ${name}`),
    ),
    sids: lines(
      'initial_sids',
      release.initialSids.map((name) => `sid ${name}`),
    ),
    vectors: lines(
      'access_vectors',
      release.classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    ),
  };
}

/** Reads a policy directory. Reports files that are missing. */
export function collectPolicySources(files: PolicyFiles, release: XenRelease, report: Report): PolicySources {
  const open = (path: string): SourceText | undefined => {
    const text = files.readText(path);
    return text === undefined ? undefined : new SourceText(files.describe(path), text);
  };
  const optional = (path: string): SourceText[] => {
    const file = open(path);
    return file === undefined ? [] : [file];
  };
  const required = (path: string): SourceText[] => {
    const file = open(path);
    if (file === undefined) report(messages['no-file'](undefined, { path: files.describe(path) }));
    return file === undefined ? [] : [file];
  };
  const isOld = open(LAYOUT.conf) === undefined && open('policy/modules.conf') !== undefined;
  const layout = isOld ? oldLayout(files) : LAYOUT;
  const [conf] = required(layout.conf);
  // What has no modules.conf is no policy directory, and nothing else is missing in it.
  const part = conf === undefined ? optional : required;
  const modules =
    conf === undefined ? { on: [], off: [], places: new Map<string, Origin>() } : readModules(conf, report);
  if (conf !== undefined && modules.on.length === 0) report(messages['no-modules'](undefined, { path: conf.name }));
  const paths = layout.paths(modules.on);
  const modulesThere = files
    .listNames(layout.pathOf('').replace(/\/$/, ''))
    .flatMap((name) => /^(.*)\.te$/.exec(name)?.[1] ?? []);
  const nearModule = (module: string, origin: Origin | undefined): { fixes: readonly Fix[] } => {
    const left = modulesThere.filter((name) => !modules.on.includes(name));
    const bare = module.replace(/^.*\//, '').replace(/\.te$/, '');
    const near = left.includes(bare) ? bare : nearestName(module, left);
    if (near === undefined) return { fixes: [] };
    const edits = origin === undefined ? [] : [{ span: origin.span, newText: near }];
    return { fixes: [{ title: `did you mean \`${near}\`?`, edits }] };
  };
  const rules = paths.flatMap((base) => {
    const path = `${base}.te`;
    const file = open(path);
    const module = modules.on.find((name) => layout.pathOf(name) === base) ?? base.slice(base.lastIndexOf('/') + 1);
    if (file === undefined) {
      const origin = modules.places.get(module);
      report(messages['no-module-file'](origin, { module, path: files.describe(path) }, nearModule(module, origin)));
    }
    return file ?? [];
  });
  const unnamed =
    conf === undefined ? [] : modulesThere.filter((name) => !modules.on.includes(name) && !modules.off.includes(name));
  const support = files
    .listNames('policy/support')
    .filter((name) => name.endsWith('.spt') && !name.startsWith('.'))
    .toSorted();
  const interfaces = `${layout.pathOf('xen')}.if`;
  // The names are those of Xen's policy, or of the example policy where its other file is there.
  const isExample = support.includes('mls.spt') || support.includes('contexts.spt');
  const absentSupport = (names: readonly [xen: string, example: string]): string | undefined =>
    names.some((name) => support.includes(name))
      ? undefined
      : files.describe(`policy/support/${isExample ? names[1] : names[0]}`);
  const hasTree = files.readText(`${XEN_TABLES}/security_classes`) !== undefined;
  const tables = releaseTables(release);
  return {
    sources: [
      ...(hasTree ? required(`${XEN_TABLES}/security_classes`) : [tables.classes]),
      ...optional('policy/security_classes'),
      ...(hasTree ? required(`${XEN_TABLES}/initial_sids`) : [tables.sids]),
      ...(hasTree ? required(`${XEN_TABLES}/access_vectors`) : [tables.vectors]),
      ...optional('policy/access_vectors'),
      ...support.flatMap((name) => optional(`policy/support/${name}`)),
      ...optional('policy/mls'),
      ...paths.flatMap((path) => optional(`${path}.if`)),
      ...optional('policy/global_tunables'),
      ...rules,
      ...part('policy/users'),
      ...(layout.constraints === undefined
        ? paths.flatMap((path) => optional(`${path}.cons`))
        : part(layout.constraints)),
      ...part('policy/initial_sids'),
      ...optional('policy/device_contexts'),
    ],
    missingMacroFiles: {
      interfaces: files.readText(interfaces) === undefined ? files.describe(interfaces) : undefined,
      support: absentSupport(['misc_macros.spt', 'contexts.spt']),
      levels: absentSupport(['mls_macros.spt', 'mls.spt']),
    },
    hasTables: hasTree,
    modulesOff: [...modules.off, ...unnamed].map((name, i) => ({
      name,
      isNamed: i < modules.off.length,
      text: ['.if', '.te'].map((ending) => files.readText(`${layout.pathOf(name)}${ending}`) ?? '').join('\n'),
    })),
  };
}
