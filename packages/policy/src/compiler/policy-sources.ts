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
import { type Fix, nearestName, type Origin, type Report, SourceText } from '../text/index.ts';
import { source as messages } from './diagnostics.ts';

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
  /** Modules that `modules.conf` switches off, with their texts. */
  readonly modulesOff: readonly { readonly name: string; readonly text: string }[];
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

/** What `modules.conf` says. As in Xen, a module is on where the third word of its line is `on`. */
function readModules(file: SourceText, report: Report): Modules {
  const on: string[] = [];
  const off: string[] = [];
  const places = new Map<string, Origin>();
  let start = 0;
  for (const line of file.text.split('\n')) {
    // A carriage return is part of a word, as for awk, and what stands behind a byte order mark begins no line.
    const words = line.replaceAll(/^[ \t]+|[ \t]+$/g, '').split(/[ \t]+/);
    const isMarked = start === 0 && line.startsWith('\xef\xbb\xbf');
    const name = (words[0] ?? '').slice(isMarked ? 3 : 0);
    const state = words[2];
    if (/^[a-z]/.test(name)) {
      if (state === 'on' && !isMarked) {
        on.push(name);
        const at = start + line.indexOf(name);
        places.set(name, { kind: 'written', span: { source: file, start: at, end: at + name.length } });
      } else {
        off.push(name);
        if (state !== 'off' || words[1] !== '=') {
          const span = {
            source: file,
            start: start + line.indexOf(words[0] ?? ''),
            end: start + line.trimEnd().length,
          };
          report(messages['module-line']({ kind: 'written', span }, {}));
        }
      }
    }
    start += line.length + 1;
  }
  return { on, off, places };
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
  const nearModule = (module: string, origin: Origin | undefined): { fixes: readonly Fix[] } => {
    const there = files
      .listNames(layout.pathOf('').replace(/\/$/, ''))
      .flatMap((name) => /^(.*)\.te$/.exec(name)?.[1] ?? []);
    const near = nearestName(
      module,
      there.filter((name) => !modules.on.includes(name)),
    );
    if (near === undefined) return { fixes: [] };
    const edits = origin === undefined ? [] : [{ span: origin.span, newText: near }];
    return { fixes: [{ title: `did you mean \`${near}\`?`, edits }] };
  };
  const rules = paths.flatMap((base) => {
    const path = `${base}.te`;
    const file = open(path);
    const module = base.slice(base.lastIndexOf('/') + 1);
    if (file === undefined) {
      const origin = modules.places.get(module);
      report(messages['no-module-file'](origin, { module, path: files.describe(path) }, nearModule(module, origin)));
    }
    return file ?? [];
  });
  const support = files
    .listNames('policy/support')
    .filter((name) => name.endsWith('.spt') && !name.startsWith('.'))
    .toSorted();
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
    hasTables: hasTree,
    modulesOff: modules.off.map((name) => ({
      name,
      text: ['.if', '.te'].map((ending) => files.readText(`${layout.pathOf(name)}${ending}`) ?? '').join('\n'),
    })),
  };
}
