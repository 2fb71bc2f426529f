/**
 * The names in properties: what they stand for in a policy.
 *
 * @module
 */
import { type Context, type PolicyDb, permissionsOf } from '../../policydb/index.ts';
import { contextLookup, parseContext } from '../../security-server/index.ts';
import { nearestName, type Report } from '../../text/index.ts';
import { prove } from '../diagnostics.ts';
import type { Request } from '../memory/decisions.ts';
import { matchTypes } from '../memory/named-types.ts';
import { requestOf } from '../memory/way-search.ts';
import type { LabelSet, Place, Rights } from './property-text.ts';

/** Whether a label is meant. */
export type LabelTest = (label: Context) => boolean;

/** Where names are looked up, and who hears of those that are not there. */
export interface Names {
  readonly policy: PolicyDb;
  readonly report: Report;
  /** Contexts that are named; they are added. */
  readonly pinned: Context[];
  /** Users that are told from others; they are added. */
  readonly userSets: ReadonlySet<number>[];
}

const NONE: LabelTest = () => false;

/** Reports a name that the policy does not have. */
export function unknown({ report }: Names, what: string, name: Place, candidates: Iterable<string>): void {
  const near = nearestName(name.text, candidates);
  const notes = near === undefined ? [] : [{ message: `did you mean \`${near}\`?` }];
  report(prove['unknown-name'](name.origin, { what, name: name.text }, { notes }));
}

/** The test that a set of labels stands for. */
export function labelTest(set: LabelSet, names: Names): LabelTest {
  switch (set.kind) {
    case 'anyone':
      return () => true;
    case 'not': {
      const test = labelTest(set.of, names);
      return (label) => !test(label);
    }
    case 'and':
    case 'or': {
      const [left, right] = [labelTest(set.left, names), labelTest(set.right, names)];
      return set.kind === 'and' ? (label) => left(label) && right(label) : (label) => left(label) || right(label);
    }
    case 'context':
      return contextTest(set.name, names);
    case 'type': {
      const types = typesOf(set.name, names);
      return types === undefined ? NONE : ({ type }) => types.has(type);
    }
    case 'user':
    case 'role': {
      const table = set.kind === 'user' ? names.policy.users : names.policy.roles;
      const values = matching(set.name.text, table.entries);
      if (values.size === 0) unknown(names, set.kind, set.name, table.byName.keys());
      if (set.kind === 'user') names.userSets.push(values);
      return set.kind === 'user' ? ({ user }) => values.has(user) : ({ role }) => values.has(role);
    }
  }
}

/** The values of the names that a pattern matches; `*` stands for any letters. */
function matching(pattern: string, entries: readonly { readonly name: string; readonly value: number }[]): Set<number> {
  const parts = pattern.split('*');
  const isMatch = (name: string): boolean => {
    if (parts.length === 1) return name === pattern;
    const [first = '', ...rest] = parts;
    const last = rest.pop() ?? '';
    if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
    let at = first.length;
    const end = name.length - last.length;
    return rest.every((part) => {
      const found = name.indexOf(part, at);
      at = found + part.length;
      return found >= 0 && at <= end;
    });
  };
  return new Set(entries.filter(({ name }) => isMatch(name)).map(({ value }) => value));
}

function typesOf(name: Place, names: Names): ReadonlySet<number> | undefined {
  const { types } = names.policy;
  const found = name.text.includes('*')
    ? matching(
        name.text,
        types.entries.filter(({ kind }) => kind === 'type'),
      )
    : matchTypes(names.policy, name.text);
  if (found !== undefined && found.size > 0) return found;
  // An attribute without types is there all the same.
  if (found !== undefined && !name.text.includes('*')) return found;
  unknown(names, 'type or attribute', name, types.byName.keys());
  return undefined;
}

function contextTest(name: Place, { policy, report, pinned }: Names): LabelTest {
  const read = parseContext(name.text, policy, contextLookup(policy));
  if ('part' in read) {
    const notes = read.suggestion === undefined ? [] : [{ message: `did you mean \`${read.suggestion}\`?` }];
    report(prove['bad-label'](name.origin, { label: name.text, why: read.message }, { notes }));
    return NONE;
  }
  pinned.push(read);
  const level = ({ sensitivity, categories }: Context['range']['low']): string =>
    `${sensitivity}:${categories.bits.join(',')}`;
  const key = ({ user, role, type, range }: Context): string =>
    `${user}/${role}/${type}/${level(range.low)}-${level(range.high)}`;
  const wanted = key(read);
  return (label) => label.type === read.type && key(label) === wanted;
}

/** The requests for each permission by itself, in order. */
export function rightsOf({ class: tclass, permissions }: Rights, names: Names): Request[] {
  const { classes } = names.policy;
  const found = classes.byName.get(tclass.text);
  if (found === undefined) {
    unknown(names, 'class', tclass, classes.byName.keys());
    return [];
  }
  return permissions.flatMap((permission) => {
    const request = requestOf(names.policy, tclass.text, [permission.text]);
    if (request !== undefined) return [request];
    const known = permissionsOf(names.policy, found).map(({ name }) => name);
    unknown(names, `permission of class \`${tclass.text}\``, permission, known);
    return [];
  });
}
