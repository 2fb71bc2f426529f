/**
 * Access vector rules and type rules, made into rows.
 *
 * SPEC: checkpolicy `policy_define.c` (`define_te_avtab`, `define_compute_type`).
 * Start reading at `RuleCompiler`.
 *
 * @module
 */
import { type NameSet, type RuleNode, readSet, type Token, TokenKind } from '../language/index.ts';
import {
  AVRULE_DONTAUDIT,
  AVRULE_NEVERALLOW,
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  type RuleTable,
  type TypeSetKind,
  type TypeSets,
} from '../policydb/index.ts';
import type { ClassDeclaration, TypeDeclaration } from './declarations.ts';
import { policy } from './diagnostics.ts';
import type { Scope } from './scope.ts';

const KINDS: Readonly<Record<string, number>> = {
  allow: AVTAB_ALLOWED,
  auditallow: AVTAB_AUDITALLOW,
  auditdeny: AVTAB_AUDITDENY,
  dontaudit: AVRULE_DONTAUDIT,
  neverallow: AVRULE_NEVERALLOW,
  type_transition: AVTAB_TRANSITION,
  type_member: AVTAB_MEMBER,
  type_change: AVTAB_CHANGE,
};

/** A set of types as a rule names it. */
export interface RuleSet {
  /** Id in `TypeSets`. */
  readonly id: number;
  readonly hasSelf: boolean;
}

/** What a set of types names. */
interface WrittenSet {
  readonly kind: TypeSetKind;
  readonly named: ReadonlySet<TypeDeclaration>;
  readonly excluded: ReadonlySet<TypeDeclaration>;
  readonly hasSelf: boolean;
}

/** The types of a set, attributes replaced by their members. */
export interface ExpandedSet {
  /** Values, ascending. */
  readonly values: Uint32Array;
  /** XEN: names of the types that repetitions are looked for with: types that optional blocks put into attributes are not among them. */
  readonly written: readonly string[];
}

/** Source and target of a transition that is not kept in the access vector table. */
export interface TransitionSets {
  readonly source: ExpandedSet;
  readonly target: ExpandedSet;
  readonly hasSelf: boolean;
}

interface SetRules {
  readonly allowsStar: boolean;
  readonly allowsSelf: boolean;
  readonly what: string;
}

const SOURCE: SetRules = { allowsStar: false, allowsSelf: false, what: 'source' };
const TARGET: SetRules = { allowsStar: false, allowsSelf: true, what: 'target' };
const ALL_PERMISSIONS = 0xffffffff;

/** Makes rows of rules. Nothing is kept between rules but the sets of types. */
export class RuleCompiler {
  readonly #scope: Scope;
  readonly #sets: TypeSets;

  constructor(scope: Scope, sets: TypeSets) {
    this.#scope = scope;
    this.#sets = sets;
  }

  /** The id of a set of types, attributes and aliases; undefined after a report. */
  typeSet(set: NameSet, statement: string, rules: SetRules): RuleSet | undefined {
    const scope = this.#scope;
    const { tokens } = scope;
    // Nearly every set is one name.
    if (tokens.kinds[set] === TokenKind.identifier && scope.word(set + 1) !== '-') {
      if (rules.allowsSelf && scope.word(set) === 'self') {
        return { id: this.#none(), hasSelf: true };
      }
      const type = scope.type(set, statement);
      if (type === undefined) return undefined;
      // A type of an optional block that does not count has no number, and stands for nothing.
      return { id: type.value === 0 ? this.#none() : type.value, hasSelf: false };
    }
    const written = this.#written(set, statement, rules);
    if (written === undefined) return undefined;
    return { id: this.#add(written), hasSelf: written.hasSelf };
  }

  /** The id of a set. A type of an optional block that does not count has no number, and stands for nothing. */
  #add({ kind, named, excluded }: WrittenSet): number {
    const values = (types: ReadonlySet<TypeDeclaration>): number[] =>
      [...types].flatMap(({ value }) => (value === 0 ? [] : [value])).sort((a, b) => a - b);
    return this.#sets.add({ kind, named: values(named), excluded: values(excluded) });
  }

  /** What a set of types, attributes and aliases names; undefined after a report. */
  #written(set: NameSet, statement: string, rules: SetRules): WrittenSet | undefined {
    const scope = this.#scope;
    const { isStar, isComplement, members } = readSet(scope.tokens, set);
    if ((isStar || isComplement) && !rules.allowsStar) {
      const operator = isStar ? '*' : '~';
      scope.report(policy['set-operator'](scope.origin(set), { operator, what: rules.what, statement }));
      return undefined;
    }
    const named = new Set<TypeDeclaration>();
    const excluded = new Set<TypeDeclaration>();
    let hasSelf = false;
    let isWhole = true;
    for (const member of members) {
      if (rules.allowsSelf && scope.word(member.token) === 'self') {
        if (member.isExcluded) scope.report(policy['self-excluded'](scope.origin(member.token), {}));
        hasSelf = true;
        continue;
      }
      const type = scope.type(member.token, statement);
      if (type === undefined) isWhole = false;
      else (member.isExcluded ? excluded : named).add(type);
    }
    const kind = isStar ? 'star' : isComplement ? 'complement' : 'listed';
    return isWhole ? { kind, named, excluded, hasSelf } : undefined;
  }

  /** A set of types with every attribute replaced by its members. */
  #expanded(set: NameSet, statement: string, rules: SetRules): (ExpandedSet & { hasSelf: boolean }) | undefined {
    const written = this.#written(set, statement, rules);
    if (written === undefined) return undefined;
    const { hasSelf, named, excluded } = written;
    const out = new Set([...excluded].flatMap(outerMembers));
    const kept = [...named].flatMap(outerMembers).filter((name) => !out.has(name));
    return { hasSelf, values: this.#sets.members(this.#add(written)), written: [...new Set(kept)] };
  }

  /** The id of the empty set. */
  #none(): number {
    return this.#sets.add({ kind: 'listed', named: [], excluded: [] });
  }

  /** The types of a set with every attribute replaced by its members. */
  expandedTypes(set: NameSet, statement: string, what: string): ExpandedSet | undefined {
    return this.#expanded(set, statement, { allowsStar: false, allowsSelf: false, what });
  }

  /** Different classes of a set, ascending. */
  classes(set: NameSet, statement: string): ClassDeclaration[] {
    return [...new Set(this.#scope.classes(set, statement))].sort((a, b) => a.value - b.value);
  }

  /** The bits of a set of permissions in one class. */
  #permissions(set: NameSet, tclass: ClassDeclaration, statement: string): number {
    const scope = this.#scope;
    if (scope.tokens.kinds[set] === TokenKind.identifier && scope.word(set + 1) !== '-')
      return scope.permissionBit(tclass, set);
    const { isStar, isComplement, members } = readSet(scope.tokens, set);
    if (isStar) return ALL_PERMISSIONS;
    let bits = 0;
    let isWhole = true;
    for (const { token, isExcluded } of members) {
      if (isExcluded)
        scope.report(policy['set-operator'](scope.origin(token), { operator: '-', what: 'permissions', statement }));
      const bit = scope.permissionBit(tclass, token);
      if (bit === 0) isWhole = false;
      bits |= bit;
    }
    // All but something unknown may be anything.
    return isComplement ? (isWhole ? ~bits >>> 0 : 0) : bits >>> 0;
  }

  #avRule(node: Extract<RuleNode, { kind: 'av-rule' }>, table: RuleTable): void {
    const scope = this.#scope;
    const isNeverallow = node.rule === 'neverallow';
    const source = this.typeSet(node.source, node.rule, { ...SOURCE, allowsStar: isNeverallow });
    const target = this.typeSet(node.target, node.rule, { ...TARGET, allowsStar: isNeverallow });
    const classes = this.classes(node.classes, node.rule);
    const at = scope.tokens.starts[node.at] ?? 0;
    if (node.rule === 'dontaudit' && scope.word(node.permissions) === '~') {
      scope.report(policy['star-without-limit'](scope.origin(node.permissions), {}));
    }
    for (const tclass of classes) {
      const bits = this.#permissions(node.permissions, tclass, node.rule);
      if (source === undefined || target === undefined) continue;
      table.push(KINDS[node.rule] ?? 0, source.id, target.id, target.hasSelf, tclass.value, bits, at);
    }
  }

  #typeRule(node: Extract<RuleNode, { kind: 'type-rule' }>, table: RuleTable): void {
    const scope = this.#scope;
    const source = this.typeSet(node.source, node.rule, SOURCE);
    const target = this.typeSet(node.target, node.rule, TARGET);
    const classes = this.classes(node.classes, node.rule);
    const result = scope.plainType(node.result, node.rule);
    if (source === undefined || target === undefined || result === undefined) return;
    const at = scope.tokens.starts[node.at] ?? 0;
    // libsepol keeps the classes of a type rule last first.
    for (const tclass of classes.toReversed()) {
      table.push(KINDS[node.rule] ?? 0, source.id, target.id, target.hasSelf, tclass.value, result.value, at);
    }
  }

  /** Appends the rows of one rule. */
  add(node: RuleNode, table: RuleTable): void {
    if (node.kind === 'av-rule') this.#avRule(node, table);
    else this.#typeRule(node, table);
  }

  /** The type that a transition gives. */
  resultType(token: Token, statement: string): number | undefined {
    return this.#scope.plainType(token, statement)?.value;
  }

  /** What a transition by file name gives. checkpolicy takes an attribute, too; a warning says that it labels nothing. */
  filenameResult(token: Token): TypeDeclaration | undefined {
    const type = this.#scope.type(token, 'type_transition');
    if (type?.kind === 'attribute')
      this.#scope.report(policy['attribute-result'](this.#scope.origin(token), { name: type.name }));
    return type;
  }

  /** Expanded source and target of a transition that is not kept in the access vector table. */
  transitionSets(
    sourceSet: NameSet,
    targetSet: NameSet,
    statement: string,
    allowsSelf: boolean,
  ): TransitionSets | undefined {
    const source = this.#expanded(sourceSet, statement, SOURCE);
    const target = this.#expanded(targetSet, statement, { ...TARGET, allowsSelf });
    if (source === undefined || target === undefined) return undefined;
    return { source, target, hasSelf: target.hasSelf };
  }
}

/** The names of the types that a type or attribute stands for when nothing is known of optional blocks. */
function outerMembers(type: TypeDeclaration): string[] {
  if (type.kind !== 'attribute') return [type.name];
  return [...type.members].flatMap((member) => (type.fromBlocks?.has(member) ? [] : [member.name]));
}
