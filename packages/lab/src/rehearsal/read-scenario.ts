/**
 * Reads scenario files.
 *
 * Start reading at `readScenarios`.
 *
 * @module
 */
import { FLASK_MODES, type FlaskMode, IOMMU_KINDS, type IommuKind } from '@dewar/hypervisor';
import { findXenRelease, XEN_RELEASES, type XenReleaseName } from '@dewar/policy/releases';
import type { Report, SourceText } from '@dewar/policy/text';
import { isScalar } from 'yaml';
import { type CheckPattern, parsePattern } from './check-patterns.ts';
import { scenario as messages } from './diagnostics.ts';
import {
  type Expectations,
  MEMORY_PHASES,
  type MemoryPhase,
  type Scenario,
  type ScenarioGuest,
  type ScenarioStep,
} from './scenario.ts';
import { STEP_KINDS, type StepKind, type StepShape } from './step-kinds.ts';
import { type YamlEntry, type YamlNode, YamlReader } from './yaml-reading.ts';

const SCENARIO_KEYS = ['name', 'policy', 'mls', 'xen', 'flask', 'iommu', 'devices', 'hosts', 'guests', 'steps'];
const EXPECTATION_KEYS = [
  'outcome',
  'exit',
  'denied',
  'granted',
  'state',
  'stranded',
  'label',
  'readable',
  'writable',
  'readable-by',
  'writable-by',
  'open-pages',
  'messages',
  'diagnostics',
];
const STATES = ['running', 'paused', 'shutdown', 'dying', 'gone'] as const;
const KINDS = Object.keys(STEP_KINDS) as StepKind[];
const DOM0_NAMES = ['Domain-0', '0'];

/** The host of a scenario that names none. */
const ONE_HOST = 'host';

/** What the steps of one scenario may name. */
interface Known {
  readonly hosts: readonly string[];
  /** Grows with `rename`. */
  readonly guests: Set<string>;
}

/** The scenarios of a file, one for each YAML document; those with faults are left out, after a report. */
export function readScenarios(source: SourceText, report: Report): Scenario[] {
  const reader = new YamlReader(source, report);
  return reader.documents().flatMap((document, i, all) => {
    let isSound = true;
    const one = new YamlReader(source, (diagnostic) => {
      if (diagnostic.severity === 'error') isSound = false;
      report(diagnostic);
    });
    const scenario = readScenario(one, document, all.length === 1 ? source.name : `${source.name} (${i + 1})`);
    return scenario !== undefined && isSound ? [scenario] : [];
  });
}

function readScenario(reader: YamlReader, document: YamlNode, fallbackName: string): Scenario | undefined {
  const entries = reader.entries(document, 'the scenario', SCENARIO_KEYS);
  if (entries === undefined) return undefined;
  const value = (key: string): YamlNode => entries.get(key)?.value;
  const optional = <T>(key: string, read: (node: YamlNode) => T | undefined): T | undefined =>
    entries.has(key) ? read(value(key)) : undefined;
  const hosts = optional('hosts', (node) =>
    reader.items(node, '`hosts`').flatMap((one) => reader.text(one, 'a host') ?? []),
  );
  const guests = entries.has('guests') ? readGuests(reader, value('guests')) : [];
  const known: Known = {
    hosts: hosts === undefined || hosts.length === 0 ? [ONE_HOST] : hosts,
    guests: new Set([...guests.map(({ name }) => name), ...DOM0_NAMES]),
  };
  if (!entries.has('steps')) {
    reader.report(messages['missing-key'](reader.origin(document), { where: 'the scenario', key: 'steps' }));
  }
  const steps = entries.has('steps') ? reader.items(value('steps'), '`steps`') : [];
  return {
    source: reader.source,
    name: optional('name', (node) => reader.text(node, '`name`')) ?? fallbackName,
    policy: optional('policy', (node) => reader.text(node, '`policy`')),
    isMls: optional('mls', (node) => reader.truth(node, '`mls`')) ?? false,
    xen: optional('xen', (node) => readRelease(reader, node)),
    flask: optional('flask', (node) => reader.choice<FlaskMode>(node, '`flask`', FLASK_MODES)) ?? 'enforcing',
    iommu: optional('iommu', (node) => reader.choice<IommuKind>(node, '`iommu`', IOMMU_KINDS)),
    devices: optional('devices', (node) => reader.text(node, '`devices`')),
    hosts: known.hosts,
    guests,
    steps: steps.flatMap((node) => readStep(reader, node, known) ?? []),
  };
}

function readRelease(reader: YamlReader, node: YamlNode): XenReleaseName | undefined {
  const name = reader.text(node, '`xen`');
  if (name === undefined) return undefined;
  const releases = XEN_RELEASES.map((one) => `\`${one}\``).join(', ');
  return findXenRelease(name) ?? reader.refuse(node, '`xen`', `one of ${releases}`);
}

function readGuests(reader: YamlReader, node: YamlNode): ScenarioGuest[] {
  return reader.freeEntries(node, '`guests`').flatMap(({ key, value }) => {
    const where = `guest \`${key}\``;
    const text = reader.text(value, where);
    if (text === undefined) return [];
    // A configuration has an assignment in it, a path has none.
    const kind = text.includes('=') || text.includes('\n') ? 'text' : 'path';
    return [{ name: key, config: { kind, text, origin: reader.origin(value) } }];
  });
}

function readStep(reader: YamlReader, node: YamlNode, known: Known): ScenarioStep | undefined {
  if (isScalar(node)) {
    const kind = reader.choice(node, 'a step', KINDS);
    if (kind === undefined) return undefined;
    if (STEP_KINDS[kind].subject !== 'nothing')
      return reader.refuse(node, 'a step', `\`${kind}:\` with what it is about`);
    return finish(reader, node, kind, undefined, new Map(), known);
  }
  const words = reader.freeEntries(node, 'a step');
  const found = words.find(({ key }) => key in STEP_KINDS);
  if (found === undefined) {
    const [first] = words;
    if (first === undefined) return reader.refuse(node, 'a step', 'a map that begins with an operation');
    reader.unknown(first.keyNode, 'kind of step', first.key, KINDS);
    return undefined;
  }
  // It is one of the keys, as was just seen.
  const kind = found.key as StepKind;
  const shape: StepShape = STEP_KINDS[kind];
  const keys = [kind, 'on', 'expect', ...Object.keys(shape.options)];
  const entries = reader.entries(node, `step \`${kind}\``, keys);
  return entries === undefined ? undefined : finish(reader, node, kind, found, entries, known);
}

function finish(
  reader: YamlReader,
  node: YamlNode,
  kind: StepKind,
  subjectEntry: YamlEntry | undefined,
  entries: ReadonlyMap<string, YamlEntry>,
  known: Known,
): ScenarioStep {
  const shape: StepShape = STEP_KINDS[kind];
  const where = `step \`${kind}\``;
  const options: Record<string, string | number | boolean> = {};
  for (const [name, optionKind] of Object.entries(shape.options)) {
    const entry = entries.get(name);
    if (entry === undefined) {
      if (shape.required.includes(name))
        reader.report(messages['missing-key'](reader.origin(node), { where, key: name }));
      continue;
    }
    const title = `\`${name}\` of ${where}`;
    const value =
      optionKind === 'truth'
        ? reader.truth(entry.value, title)
        : optionKind === 'count'
          ? reader.count(entry.value, title)
          : reader.text(entry.value, title);
    if (value !== undefined) options[name] = value;
  }
  const subject = readSubject(reader, subjectEntry, kind, known);
  if (kind === 'rename' && typeof options['to'] === 'string') known.guests.add(options['to']);
  const on = entries.get('on');
  const host = on === undefined ? known.hosts[0] : reader.text(on.value, `\`on\` of ${where}`);
  if (on !== undefined && host !== undefined && !known.hosts.includes(host))
    reader.unknown(on.value, 'host', host, known.hosts);
  const to = entries.get('to');
  const target = options['to'];
  if (kind === 'migrate' && typeof target === 'string' && !known.hosts.includes(target))
    reader.unknown(to?.value, 'host', target, known.hosts);
  const expect = entries.get('expect');
  return {
    kind,
    subject,
    host: host ?? ONE_HOST,
    options,
    expect: expect === undefined ? { outcome: 'done' } : readExpectations(reader, expect.value, known),
    origin: reader.origin(subjectEntry?.keyNode ?? node),
  };
}

function readSubject(
  reader: YamlReader,
  entry: YamlEntry | undefined,
  kind: StepKind,
  known: Known,
): string | undefined {
  const { subject } = STEP_KINDS[kind];
  const where = `\`${kind}\``;
  if (subject === 'nothing') {
    if (entry !== undefined && isScalar(entry.value) && entry.value.value !== null)
      reader.refuse(entry.value, where, 'without a value');
    return undefined;
  }
  if (subject === 'mode') return reader.choice(entry?.value, where, ['enforcing', 'permissive'] as const);
  const text = reader.text(entry?.value, where);
  if (subject === 'guest' && text !== undefined && !known.guests.has(text))
    reader.unknown(entry?.value, 'guest', text, known.guests);
  return text;
}

function readPatterns(reader: YamlReader, node: YamlNode, where: string): CheckPattern[] {
  return reader.items(node, where).flatMap((one) => {
    const text = reader.text(one, `a check in ${where}`);
    if (text === undefined) return [];
    const pattern = parsePattern(text);
    if (pattern === undefined)
      reader.refuse(one, `a check in ${where}`, 'like a rule: `SOURCE TARGET:CLASS { PERMISSIONS }`');
    return pattern ?? [];
  });
}

function readPhases(reader: YamlReader, node: YamlNode, where: string): Partial<Record<MemoryPhase, boolean>> {
  if (isScalar(node)) {
    const running = reader.truth(node, where);
    return running === undefined ? {} : { running };
  }
  const phases: Partial<Record<MemoryPhase, boolean>> = {};
  for (const [phase, { value }] of reader.entries(node, where, MEMORY_PHASES) ?? []) {
    const is = reader.truth(value, `\`${phase}\` in ${where}`);
    // The keys were held against the phases.
    if (is !== undefined) phases[phase as MemoryPhase] = is;
  }
  return phases;
}

/** Domains that try, each with whether it can. */
function readActors(reader: YamlReader, node: YamlNode, where: string, known: Known): Record<string, boolean> {
  const actors: Record<string, boolean> = {};
  for (const { key, keyNode, value } of reader.freeEntries(node, where)) {
    if (!known.guests.has(key)) reader.unknown(keyNode, 'guest', key, known.guests);
    const is = reader.truth(value, `\`${key}\` in ${where}`);
    if (is !== undefined) actors[key] = is;
  }
  return actors;
}

function readExpectations(reader: YamlReader, node: YamlNode, known: Known): Expectations {
  if (isScalar(node)) return { outcome: reader.choice(node, '`expect`', ['done', 'failed'] as const) ?? 'done' };
  const entries = reader.entries(node, '`expect`', EXPECTATION_KEYS);
  const read = <T>(key: string, how: (value: YamlNode, where: string) => T | undefined): T | undefined => {
    const entry = entries?.get(key);
    return entry === undefined ? undefined : how(entry.value, `\`${key}\``);
  };
  const texts = (value: YamlNode, where: string): string[] =>
    reader.items(value, where).flatMap((one) => reader.text(one, `an item of ${where}`) ?? []);
  return {
    outcome: read('outcome', (value, where) => reader.choice(value, where, ['done', 'failed'] as const)) ?? 'done',
    exit: read('exit', (value, where) => reader.count(value, where)),
    denied: read('denied', (value, where) => readPatterns(reader, value, where)),
    granted: read('granted', (value, where) => readPatterns(reader, value, where)),
    state: read('state', (value, where) => reader.choice(value, where, STATES)),
    stranded: read('stranded', (value, where) => reader.truth(value, where)),
    label: read('label', (value, where) => reader.text(value, where)),
    readable: read('readable', (value, where) => readPhases(reader, value, where)),
    writable: read('writable', (value, where) => readPhases(reader, value, where)),
    readableBy: read('readable-by', (value, where) => readActors(reader, value, where, known)),
    writableBy: read('writable-by', (value, where) => readActors(reader, value, where, known)),
    openPages: read('open-pages', (value, where) => reader.count(value, where)),
    messages: read('messages', texts),
    diagnostics: read('diagnostics', texts),
  };
}
