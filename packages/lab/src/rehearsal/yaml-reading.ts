/**
 * Values of a YAML document, read exactly: each key is known, each value is of its kind, and what is wrong has a place.
 *
 * Anchors, aliases and tags are refused: a scenario says what it means where it stands.
 * Start reading at `YamlReader`.
 *
 * @module
 */
import { nearestName, type Origin, type Report, type SourceText } from '@dewar/policy/text';
import { isMap, isScalar, isSeq, type Node, type ParsedNode, parseAllDocuments, visit } from 'yaml';
import { scenario } from './diagnostics.ts';

/** A node of a document; undefined where a key has no value. */
export type YamlNode = Node | null | undefined;

/** A key with its value. */
export interface YamlEntry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: YamlNode;
}

/** Most scenarios of one file. */
const MAX_DOCUMENTS = 1000;

/** Reads the values of one file. */
export class YamlReader {
  readonly source: SourceText;
  readonly report: Report;

  constructor(source: SourceText, report: Report) {
    this.source = source;
    this.report = report;
  }

  /** The documents of the file; none where it is not YAML. */
  documents(): ParsedNode[] {
    const documents = parseAllDocuments(this.source.text, { schema: 'core', strict: true, uniqueKeys: true });
    const list = Array.isArray(documents) ? documents : [];
    let isSound = true;
    const fault = (at: readonly [number, number] | undefined, why: string): void => {
      isSound = false;
      this.report(scenario['not-yaml'](this.#at(at), { why }));
    };
    for (const document of list.slice(0, MAX_DOCUMENTS)) {
      for (const { pos, message } of document.errors)
        fault(pos, (message.split('\n')[0] ?? '').replace(/ at line .*$/, ''));
      visit(document, {
        Alias: (_, node) => fault(rangeOf(node), 'aliases are not used in scenarios'),
        Node: (_, node) => {
          if (node.tag !== undefined) fault(rangeOf(node), 'tags are not used in scenarios');
          if ('anchor' in node && node.anchor !== undefined) fault(rangeOf(node), 'anchors are not used in scenarios');
        },
      });
    }
    if (list.length > MAX_DOCUMENTS) fault(undefined, `there are more than ${MAX_DOCUMENTS} documents`);
    return isSound ? list.flatMap(({ contents }) => (contents === null ? [] : [contents])) : [];
  }

  #at(range: readonly [number, number] | undefined): Origin | undefined {
    if (range === undefined) return undefined;
    const end = this.source.text.length;
    const start = Math.min(range[0], end);
    return { kind: 'written', span: { source: this.source, start, end: Math.min(Math.max(range[1], start + 1), end) } };
  }

  /** Where a node stands. */
  origin(node: YamlNode): Origin | undefined {
    return this.#at(rangeOf(node));
  }

  /** Reports that a value is not what it must be. */
  refuse(node: YamlNode, where: string, what: string): undefined {
    this.report(scenario['bad-value'](this.origin(node), { where, what }));
    return undefined;
  }

  /** Reports a name that the scenario lacks. */
  unknown(node: YamlNode, what: string, name: string, known: Iterable<string>): void {
    const near = nearestName(name, known);
    const hint = near === undefined ? [] : [{ message: `did you mean \`${near}\`?` }];
    this.report(scenario['unknown-name'](this.origin(node), { what, name }, { notes: hint }));
  }

  /** The entries of a map, each key one of `known`; undefined where it is no map. */
  entries(node: YamlNode, where: string, known: readonly string[]): Map<string, YamlEntry> | undefined {
    if (!isMap(node)) return this.refuse(node, where, 'a map of keys and values');
    const found = new Map<string, YamlEntry>();
    for (const { key, value } of node.items) {
      // A parsed document holds nodes only.
      const keyNode = key as Node;
      const name = isScalar(keyNode) && typeof keyNode.value === 'string' ? keyNode.value : undefined;
      if (name === undefined) this.refuse(keyNode, `a key of ${where}`, 'a word');
      else if (!known.includes(name)) {
        const near = nearestName(name, known);
        const message = near === undefined ? `known are ${known.join(', ')}` : `did you mean \`${near}\`?`;
        this.report(scenario['unknown-key'](this.origin(keyNode), { key: name, where }, { notes: [{ message }] }));
      } else found.set(name, { key: name, keyNode, value: value as Node | null });
    }
    return found;
  }

  /** The keys of a map that may have any. */
  freeEntries(node: YamlNode, where: string): YamlEntry[] {
    if (!isMap(node)) {
      this.refuse(node, where, 'a map of names and values');
      return [];
    }
    return node.items.flatMap(({ key, value }) => {
      const keyNode = key as Node;
      if (isScalar(keyNode) && typeof keyNode.value === 'string')
        return [{ key: keyNode.value, keyNode, value: value as Node | null }];
      this.refuse(keyNode, `a name in ${where}`, 'a word');
      return [];
    });
  }

  items(node: YamlNode, where: string): YamlNode[] {
    if (isSeq(node)) return node.items as Node[];
    this.refuse(node, where, 'a list');
    return [];
  }

  text(node: YamlNode, where: string): string | undefined {
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') return node.value;
    // A name may look like a number.
    if (isScalar(node) && typeof node.value === 'number' && node.source !== undefined) return node.source;
    return this.refuse(node, where, 'a text');
  }

  truth(node: YamlNode, where: string): boolean | undefined {
    return isScalar(node) && typeof node.value === 'boolean'
      ? node.value
      : this.refuse(node, where, '`true` or `false`');
  }

  count(node: YamlNode, where: string): number | undefined {
    const value = isScalar(node) ? node.value : undefined;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : this.refuse(node, where, 'a whole number from 0 up');
  }

  choice<T extends string>(node: YamlNode, where: string, choices: readonly T[]): T | undefined {
    const value = isScalar(node) ? node.value : undefined;
    const found = choices.find((one) => one === value);
    return found ?? this.refuse(node, where, `one of ${choices.map((one) => `\`${one}\``).join(', ')}`);
  }
}

function rangeOf(node: YamlNode): readonly [number, number] | undefined {
  const range = node?.range;
  return range === null || range === undefined ? undefined : [range[0], range[1]];
}
