/**
 * The syntax tree of a policy. Its leaves are tokens: a name is the index of its token, and a set of names is the index
 * of its first token, so that a large policy stays small in memory and every part knows its place.
 *
 * @module
 */
import type { Token, Tokens } from './tokens.ts';

/** First token of a set of names: `name`, `a - b`, `*`, `~name`, `~{ … }` or `{ … }`. */
export type NameSet = Token;

/** First token of a list of names separated by commas. */
export type NameList = Token;

/** An MLS level: a sensitivity, and the first of its categories if it has any. */
export interface LevelNode {
  readonly sensitivity: Token;
  readonly categories: NameList | undefined;
}

/** An MLS range; without `high` it is one level. */
export interface RangeNode {
  readonly low: LevelNode;
  readonly high: LevelNode | undefined;
}

/** A security context. */
export interface ContextNode {
  readonly user: Token;
  readonly role: Token;
  readonly type: Token;
  readonly range: RangeNode | undefined;
}

/** One step of a constraint expression, in postfix order. `attribute` and `operator` are `CEXPR_…` numbers. */
export type ConstraintNode =
  | { readonly kind: 'not' | 'and' | 'or'; readonly at: Token }
  | { readonly kind: 'attribute'; readonly at: Token; readonly attribute: number; readonly operator: number }
  | {
      readonly kind: 'names';
      readonly at: Token;
      readonly attribute: number;
      readonly operator: number;
      readonly names: NameSet;
    };

/** One step of a boolean expression, in postfix order. `operator` is a `COND_…` number. */
export interface ConditionNode {
  readonly operator: number;
  readonly at: Token;
}

/** The rules about access vectors. */
export type AvRuleKind = 'allow' | 'auditallow' | 'auditdeny' | 'dontaudit' | 'neverallow';
/** The rules about the type of something new. */
export type TypeRuleKind = 'type_transition' | 'type_member' | 'type_change';
/** The rules that say which side gives a part of a new label. */
export type DefaultKind = 'default_user' | 'default_role' | 'default_type' | 'default_range';

/** Something a `require` block asks for. */
export interface RequireNode {
  readonly kind:
    | 'class'
    | 'role'
    | 'type'
    | 'attribute'
    | 'attribute_role'
    | 'user'
    | 'bool'
    | 'tunable'
    | 'sensitivity'
    | 'category';
  readonly names: readonly Token[];
  readonly permissions: NameSet | undefined;
}

interface At {
  /** The token with which the statement begins. */
  readonly at: Token;
}

/** One statement of a policy. */
export type Statement = At &
  /** A `;` that ends nothing. */
  (
    | { readonly kind: 'empty' }
    | { readonly kind: 'class'; readonly name: Token }
    | { readonly kind: 'sid'; readonly name: Token }
    | { readonly kind: 'common'; readonly name: Token; readonly permissions: NameSet }
    | {
        readonly kind: 'access-vector';
        readonly name: Token;
        readonly common: Token | undefined;
        readonly permissions: NameSet | undefined;
      }
    | { readonly kind: 'default'; readonly rule: DefaultKind; readonly classes: NameSet; readonly value: number }
    | { readonly kind: 'sensitivity' | 'category'; readonly name: Token; readonly aliases: NameSet | undefined }
    | { readonly kind: 'dominance'; readonly order: NameSet }
    | { readonly kind: 'level'; readonly level: LevelNode }
    | {
        readonly kind: 'constrain';
        readonly isMls: boolean;
        readonly classes: NameSet;
        readonly permissions: NameSet;
        readonly expression: readonly ConstraintNode[];
      }
    | {
        readonly kind: 'validatetrans';
        readonly isMls: boolean;
        readonly classes: NameSet;
        readonly expression: readonly ConstraintNode[];
      }
    | { readonly kind: 'attribute' | 'attribute_role' | 'policycap' | 'permissive'; readonly name: Token }
    | { readonly kind: 'expandattribute'; readonly names: NameSet; readonly value: boolean }
    | {
        readonly kind: 'type';
        readonly name: Token;
        readonly aliases: NameSet | undefined;
        readonly attributes: NameList | undefined;
      }
    | { readonly kind: 'typealias'; readonly name: Token; readonly aliases: NameSet }
    | {
        readonly kind: 'typeattribute' | 'typebounds' | 'roleattribute';
        readonly name: Token;
        readonly others: NameList;
      }
    | { readonly kind: 'bool' | 'tunable'; readonly name: Token; readonly value: boolean }
    | RuleNode
    | {
        readonly kind: 'filename-transition';
        readonly source: NameSet;
        readonly target: NameSet;
        readonly classes: NameSet;
        readonly result: Token;
        readonly name: Token;
      }
    | {
        readonly kind: 'range_transition';
        readonly source: NameSet;
        readonly target: NameSet;
        readonly classes: NameSet | undefined;
        readonly range: RangeNode;
      }
    | { readonly kind: 'role'; readonly name: Token; readonly attributes: NameList | undefined }
    | { readonly kind: 'role-types'; readonly name: Token; readonly types: NameSet }
    | { readonly kind: 'role-dominance'; readonly roles: readonly DominanceNode[] }
    | { readonly kind: 'role-allow'; readonly source: NameSet; readonly target: NameSet }
    | {
        readonly kind: 'role_transition';
        readonly source: NameSet;
        readonly types: NameSet;
        readonly classes: NameSet | undefined;
        readonly result: Token;
      }
    | {
        readonly kind: 'if';
        readonly condition: readonly ConditionNode[];
        readonly whenTrue: readonly ConditionalRule[];
        readonly whenFalse: readonly ConditionalRule[];
      }
    | { readonly kind: 'optional'; readonly body: readonly Statement[]; readonly otherwise: readonly Statement[] }
    | { readonly kind: 'require'; readonly wants: readonly RequireNode[] }
    | {
        readonly kind: 'user';
        readonly name: Token;
        readonly roles: NameSet;
        readonly level: LevelNode | undefined;
        readonly range: RangeNode | undefined;
      }
    | { readonly kind: 'sid-context'; readonly name: Token; readonly context: ContextNode }
    | {
        readonly kind: 'pirqcon' | 'pcidevicecon' | 'iomemcon' | 'ioportcon';
        readonly low: Token;
        readonly high: Token | undefined;
        readonly context: ContextNode;
      }
    | { readonly kind: 'devicetreecon'; readonly path: Token; readonly context: ContextNode }
  );

/** An access vector rule or a type rule: what may also stand in a conditional. */
export type RuleNode = At &
  (
    | {
        readonly kind: 'av-rule';
        readonly rule: AvRuleKind;
        readonly source: NameSet;
        readonly target: NameSet;
        readonly classes: NameSet;
        readonly permissions: NameSet;
      }
    | {
        readonly kind: 'type-rule';
        readonly rule: TypeRuleKind;
        readonly source: NameSet;
        readonly target: NameSet;
        readonly classes: NameSet;
        readonly result: Token;
      }
  );

/** A rule in a conditional block; `require` blocks are allowed there too. */
export type ConditionalRule = Extract<Statement, { readonly kind: 'av-rule' | 'type-rule' | 'require' }>;

/** A role and the roles that it is to dominate. */
export interface DominanceNode {
  readonly role: Token;
  readonly children: readonly DominanceNode[];
}

/** A policy text in the order in which it was written. */
export interface SyntaxTree {
  readonly tokens: Tokens;
  readonly statements: readonly Statement[];
  /** Names in text that could not be parsed, so that a part of the policy may be missing from `statements`. */
  readonly skippedNames: readonly string[];
  /** Those of them that text could have declared. */
  readonly doubtfulNames: readonly string[];
  /** Those of them that were given to a macro which nobody knows: it may make other names of them, such as `x_t_self`. */
  readonly doubtfulStems: readonly string[];
  /** Those of them that text could have declared as a type, or put into an attribute. */
  readonly doubtfulTypes: readonly string[];
  /** Every statement could be parsed and stands in its section, and no section is missing. */
  readonly isWhole: boolean;
  /** Statements out of their section, ascending: each from its first token up to the first of the next one. */
  readonly misplaced: readonly { readonly from: Token; readonly to: Token }[];
}
