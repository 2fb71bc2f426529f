/**
 * Finding declared names, with a report where there is none.
 *
 * Start reading at `Scope`.
 *
 * @module
 */
import {
  originOf,
  readSet,
  type SetMember,
  type Statement,
  type SyntaxTree,
  type Token,
  TokenKind,
  type Tokens,
  wordOf,
} from '../language/index.ts';
import { type Diagnostic, type Fix, type Note, nearestName, type Origin, type Report } from '../text/index.ts';
import {
  type BooleanDeclaration,
  type ClassDeclaration,
  Declarations,
  makeType,
  type Part,
  primaryOf,
  type RoleDeclaration,
  type TypeDeclaration,
  type UserDeclaration,
} from './declarations.ts';
import { policy } from './diagnostics.ts';

/** Says more about a name that does not exist: for instance, that another release of Xen has it. */
export interface NameAdvice {
  ofPermission(className: string, permission: string): readonly Note[];
  ofClass(className: string): readonly Note[];
  ofInitialSid(name: string): readonly Note[];
  ofName(name: string): readonly Note[];
}

/** What a branch of an optional block knows besides the names of the policy. */
export interface BranchScope {
  /** Its statements. */
  readonly part: Part;
  /** Whether it is the `else` branch. */
  readonly isElse: boolean;
  /** What is required there and in the blocks around, as kind and name: known, declared or not. */
  readonly required: ReadonlySet<string>;
  /** Branches whose declarations are known there: itself and those around. */
  readonly homes: ReadonlySet<Part>;
}

/** What all parts of the compiler share: the tree, the names declared in it, and where reports go. */
export class Scope {
  readonly tree: SyntaxTree;
  readonly tokens: Tokens;
  readonly isMls: boolean;
  readonly declared: Declarations = new Declarations();
  readonly advice: NameAdvice | undefined;
  readonly #report: Report;
  /** The branch of an optional block whose statements are looked at; undefined outside of blocks. */
  branch: BranchScope | undefined = undefined;
  /** What is required outside of optional blocks, in conditional blocks, as kind and name. */
  requiredOutside: ReadonlySet<string> = new Set();
  /** Statements that declare roles and users, by kind and name. Made when first asked for. */
  #declaring: Map<string, { readonly kind: string; readonly name: Token }> | undefined;
  /** Names of types of which, because of a fault, not all attributes may be known. */
  readonly doubtfulTypes: Set<string>;
  /** Names in statements that could not be parsed: they may be declared there, so nothing is said about them. */
  readonly #doubtful: ReadonlySet<string>;
  readonly #stems: ReadonlySet<string>;

  constructor(tree: SyntaxTree, isMls: boolean, report: Report, advice: NameAdvice | undefined) {
    this.tree = tree;
    this.tokens = tree.tokens;
    this.isMls = isMls;
    this.#report = report;
    this.#doubtful = new Set(tree.doubtfulNames);
    this.#stems = new Set(tree.doubtfulStems);
    this.doubtfulTypes = new Set(tree.doubtfulTypes);
    this.advice = advice;
  }

  report(diagnostic: Diagnostic): void {
    this.#report(diagnostic);
  }

  word(token: Token): string {
    return wordOf(this.tokens, token);
  }

  origin(token: Token): Origin {
    return originOf(this.tokens, token);
  }

  /** The first word of a statement, as written in messages. */
  statementWord(statement: Statement): string {
    return this.word(statement.at);
  }

  /** A note that shows the earlier of two places that contradict each other; none where nobody wrote it. */
  earlier(token: Token | undefined, message: string): { readonly notes: readonly Note[] } {
    return { notes: token === undefined || token < 0 ? [] : [{ message, origin: this.origin(token) }] };
  }

  /** Whether a token is of a statement out of its section: that is told, and what it says beside others is not. */
  isMisplaced(token: Token | undefined): boolean {
    const { misplaced } = this.tree;
    if (token === undefined) return false;
    let low = 0;
    let high = misplaced.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((misplaced[middle]?.to ?? 0) <= token) low = middle + 1;
      else high = middle;
    }
    const found = misplaced[low];
    return found !== undefined && found.from <= token;
  }

  /** Reports a second declaration of a name. */
  reportDuplicate(what: string, token: Token, first: Token): void {
    if (this.isMisplaced(token) || this.isMisplaced(first)) return;
    const extra = this.earlier(first, 'first declared here');
    this.report(policy.duplicate(this.origin(token), { what, name: this.word(token) }, extra));
  }

  /** Extra facts for a report about an unknown name: the nearest name, as a fix of the name as written. */
  suggest(
    token: Token,
    candidates: Iterable<string>,
    notes: readonly Note[] = [],
  ): { fixes: readonly Fix[]; notes: readonly Note[] } {
    // What is of the kind, and is not known here, has its note already.
    const other = notes.length > 0 ? [] : this.#otherKind(token);
    const off = other.length > 0 ? [] : (this.advice?.ofName(this.word(token)) ?? []);
    const all = [...notes, ...other, ...off];
    const joined = this.#joinedBy(token);
    if (joined !== undefined)
      return { fixes: this.#argumentFix(token, all.length > notes.length ? [] : candidates), notes: [...all, joined] };
    // A name that something else has is no slip of the hand.
    const near = all.length > notes.length ? undefined : nearestName(this.word(token), candidates);
    if (near === undefined) return { fixes: [], notes: all };
    const origin = this.origin(token);
    const edits = origin.kind === 'written' ? [{ span: origin.span, newText: near }] : [];
    return { fixes: [{ title: `did you mean \`${near}\`?`, edits }], notes: all };
  }

  /** The first statement of some kinds that declares a name. */
  #statementDeclaring(
    kinds: readonly ('role' | 'attribute_role' | 'user')[],
    name: string,
  ): { readonly kind: string; readonly name: Token } | undefined {
    if (this.#declaring === undefined) {
      const found = new Map<string, { readonly kind: string; readonly name: Token }>();
      for (const one of this.tree.statements) {
        if (one.kind !== 'role' && one.kind !== 'attribute_role' && one.kind !== 'user') continue;
        const key = `${one.kind} ${this.word(one.name)}`;
        if (!found.has(key)) found.set(key, one);
      }
      this.#declaring = found;
    }
    for (const kind of kinds) {
      const one = this.#declaring.get(`${kind} ${name}`);
      if (one !== undefined) return one;
    }
    return undefined;
  }

  /** A note for a name that nothing of the kind looked for has, and that something of another kind has. */
  #otherKind(token: Token): readonly Note[] {
    const name = this.word(token);
    const { types, booleans, classes } = this.declared;
    const role = this.#statementDeclaring(['role', 'attribute_role'], name);
    const user = this.#statementDeclaring(['user'], name);
    const type = types.get(name);
    const found: readonly [what: string, declaredAt: Token | undefined] | undefined =
      type !== undefined
        ? [type.kind === 'attribute' ? 'an attribute' : 'a type', type.token]
        : role !== undefined
          ? [role.kind === 'role' ? 'a role' : 'a role attribute', role.name]
          : user !== undefined
            ? ['a user', user.name]
            : booleans.has(name)
              ? ['a boolean', booleans.get(name)?.token]
              : classes.has(name)
                ? ['a class', classes.get(name)?.token]
                : undefined;
    if (found === undefined) return [];
    const [what, declaredAt] = found;
    return this.earlier(declaredAt, `\`${name}\` is ${what}, declared here`).notes;
  }

  /** Where a macro joined a name out of an argument and more, if one did; the argument alone is no such name. */
  #joinedBy(token: Token): Note | undefined {
    const { source, starts, ends } = this.tokens;
    const { span } = this.origin(token);
    const start = (starts[token] ?? 0) + span.end - span.start;
    const end = ends[token] ?? 0;
    if (start >= end) return undefined;
    const origin = source.origins.originAt(start, end);
    if (origin.kind === 'written') return undefined;
    return { message: `\`${origin.macro}\` makes this name of the argument`, origin };
  }

  /** The argument that was meant where a macro made an unknown name of it, and the argument alone is no name either. */
  #argumentFix(token: Token, candidates: Iterable<string>): readonly Fix[] {
    const name = this.word(token);
    const origin = this.origin(token);
    const { source, start, end } = origin.span;
    const argument = source.text.slice(start, end);
    const rest = name.slice(argument.length);
    if (origin.kind !== 'written' || !name.startsWith(argument) || this.declared.types.has(argument)) return [];
    const near = nearestName(name, candidates);
    if (near === undefined || !near.endsWith(rest)) return [];
    const meant = near.slice(0, near.length - rest.length);
    return [{ title: `did you mean \`${meant}\`?`, edits: [{ span: origin.span, newText: meant }] }];
  }

  #isRequired(kind: string, token: Token): boolean {
    const key = `${kind} ${this.word(token)}`;
    return this.branch?.required.has(key) === true || this.requiredOutside.has(key);
  }

  /** Whether a declared name is known where it is used: what a block declares is known in the block. */
  #sees(declaration: { readonly home: Part }, kind: 'type' | 'bool', token: Token): boolean {
    const { home } = declaration;
    return home === undefined || this.branch?.homes.has(home) === true || this.#isRequired(kind, token);
  }

  /** Whether a role or user is known where it is used: where a part around declares or requires it. */
  #knows({ knownIn }: RoleDeclaration | UserDeclaration): boolean {
    if (knownIn.has(undefined)) return true;
    for (const home of this.branch?.homes ?? []) if (knownIn.has(home)) return true;
    return false;
  }

  /** A note for a name that is declared in a block, and unknown outside of it. */
  #elsewhere(declaration: { readonly token: Token } | undefined): readonly Note[] {
    return this.earlier(declaration?.token, 'an `optional` block declares it here, and only that block knows it').notes;
  }

  #unknown(token: Token, make: () => Diagnostic): undefined {
    if (!this.isDoubtful(this.word(token))) this.report(make());
    return undefined;
  }

  /** Whether a name stands in a statement that could not be parsed, so that it may be declared after all. */
  isDoubtful(name: string): boolean {
    if (this.#doubtful.has(name)) return true;
    if (this.#stems.size === 0) return false;
    for (let at = name.indexOf('_'); at >= 0; at = name.indexOf('_', at + 1)) {
      const stem = name.slice(0, at);
      if (this.#stems.has(stem) && !this.declared.types.has(stem)) return true;
    }
    return false;
  }

  /** A type, attribute or the type behind an alias. */
  type(token: Token, statement: string): TypeDeclaration | undefined {
    const found = this.declared.types.get(this.word(token));
    if (found !== undefined && this.#sees(found, 'type', token)) return primaryOf(found);
    if (this.#isRequired('type', token)) {
      const kind = this.#isRequired('attribute', token) ? 'attribute' : 'type';
      return makeType(this.word(token), token, kind, undefined);
    }
    return this.#unknown(token, () =>
      policy['unknown-type'](
        this.origin(token),
        { name: this.word(token), statement },
        this.word(token) === 'self'
          ? { notes: [{ message: '`self` stands for the source, and can be the target of a rule only' }] }
          : this.suggest(token, found === undefined ? this.declared.types.keys() : [], this.#elsewhere(found)),
      ),
    );
  }

  /** A type that is no attribute. */
  plainType(token: Token, statement: string): TypeDeclaration | undefined {
    const type = this.type(token, statement);
    if (type?.kind !== 'attribute') return type;
    this.report(policy['not-a-type'](this.origin(token), { name: this.word(token) }));
    return undefined;
  }

  attribute(token: Token): TypeDeclaration | undefined {
    const found = this.declared.types.get(this.word(token));
    const isSeen = found !== undefined && this.#sees(found, 'type', token);
    if (found?.kind === 'attribute' && isSeen) return found;
    if (found !== undefined && isSeen) {
      this.report(policy['not-an-attribute'](this.origin(token), { name: this.word(token) }));
      return undefined;
    }
    if (this.#isRequired('attribute', token)) return makeType(this.word(token), token, 'attribute', undefined);
    if (this.#isRequired('type', token)) {
      this.report(policy['not-an-attribute'](this.origin(token), { name: this.word(token) }));
      return undefined;
    }
    return this.#unknown(token, () => {
      const attributes = [...this.declared.types.values()].filter(({ kind }) => kind === 'attribute');
      const near = this.suggest(
        token,
        attributes.map(({ name }) => name),
      );
      const later = this.tree.statements.find(
        (statement) => statement.kind === 'attribute' && this.word(statement.name) === this.word(token),
      );
      const notes =
        later?.kind === 'attribute'
          ? this.earlier(later.name, 'it is declared here, too late').notes
          : this.#elsewhere(found);
      return policy['undeclared-attribute'](
        this.origin(token),
        { name: this.word(token) },
        { ...near, notes: [...notes, ...near.notes] },
      );
    });
  }

  class(token: Token): ClassDeclaration | undefined {
    const found = this.declared.classes.get(this.word(token));
    if (found !== undefined) return found;
    return this.#unknown(token, () =>
      policy['unknown-class'](
        this.origin(token),
        { name: this.word(token) },
        this.suggest(token, this.declared.classes.keys(), this.advice?.ofClass(this.word(token))),
      ),
    );
  }

  /** Classes of a set: plain names only. In the order written, repetitions kept. */
  classes(set: Token, statement: string): ClassDeclaration[] {
    const found: ClassDeclaration[] = [];
    for (const token of this.plainNames(set, 'classes', statement)) {
      const one = this.class(token);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** The names of a set in which nothing but names is allowed. */
  plainNames(set: Token, what: string, statement: string): Token[] {
    const { isStar, isComplement, members } = readSet(this.tokens, set);
    const refuse = (token: Token, operator: string): void =>
      this.report(policy['set-operator'](this.origin(token), { operator, what, statement }));
    if (isStar) refuse(set, '*');
    if (isComplement) refuse(set, '~');
    const excluded = members.find((member: SetMember) => member.isExcluded);
    if (excluded !== undefined) refuse(excluded.token, '-');
    return members.map(({ token }) => token);
  }

  /** The bit of a permission in a class. */
  permissionBit(tclass: ClassDeclaration, token: Token): number {
    const name = this.word(token);
    const value = tclass.permissions?.get(name) ?? tclass.common?.permissions.get(name);
    if (value !== undefined) return (1 << (value - 1)) >>> 0;
    // A class whose permissions are in a statement with a fault lacks them all.
    if (tclass.permissions === undefined && tclass.common === undefined && !this.tree.isWhole) return 0;
    this.#unknown(token, () => {
      const known = [...(tclass.permissions?.keys() ?? []), ...(tclass.common?.permissions.keys() ?? [])];
      const notes = [...(this.advice?.ofPermission(tclass.name, name) ?? []), ...this.#otherClasses(name)];
      return policy['unknown-permission'](
        this.origin(token),
        { class: tclass.name, name },
        this.suggest(token, known, notes),
      );
    });
    return 0;
  }

  /** Says which classes of the policy have a permission that was looked for in another one. */
  #otherClasses(permission: string): Note[] {
    const owners = [...this.declared.classes.values()]
      .filter((tclass) => tclass.permissions?.has(permission) ?? tclass.common?.permissions.has(permission))
      .map(({ name }) => `\`${name}\``);
    if (owners.length === 0) return [];
    return [{ message: `it is a permission of class${owners.length === 1 ? '' : 'es'} ${owners.join(', ')}` }];
  }

  #unknownRole(token: Token, code: 'unknown-role' | 'undeclared-role-attribute'): undefined {
    return this.#unknown(token, () => {
      const found = this.declared.roles.get(this.word(token));
      const isElsewhere = found?.isDeclared === true && token >= found.knownFrom;
      const known = [...this.declared.roles.values()].filter(({ isDeclared }) => isDeclared).map(({ name }) => name);
      const name = this.word(token);
      const later = this.#statementDeclaring(
        code === 'unknown-role' ? ['role', 'attribute_role'] : ['attribute_role'],
        name,
      );
      const isBelow = later !== undefined && later.name > token;
      const notes = isBelow
        ? this.earlier(later.name, 'it is declared here, too late').notes
        : isElsewhere
          ? this.#elsewhere(found)
          : [];
      const hints = this.suggest(token, isElsewhere || isBelow ? [] : known, notes);
      // `role` that gives types declares nothing.
      const declare =
        hints.notes.length === 0 &&
        hints.fixes.length === 0 &&
        this.tokens.kinds[token - 1] === TokenKind.keyword &&
        this.word(token - 1) === 'role'
          ? [{ message: `\`role ${name};\` declares it` }]
          : [];
      return policy[code](this.origin(token), { name }, { ...hints, notes: [...hints.notes, ...declare] });
    });
  }

  role(token: Token): RoleDeclaration | undefined {
    const found = this.declared.roles.get(this.word(token));
    if (found !== undefined && token >= found.knownFrom && this.#knows(found)) return found;
    return this.#unknownRole(token, 'unknown-role');
  }

  plainRole(token: Token): RoleDeclaration | undefined {
    const role = this.role(token);
    if (role?.isAttribute !== true) return role;
    this.report(policy['not-a-role'](this.origin(token), { name: role.name }));
    return undefined;
  }

  roleAttribute(token: Token): RoleDeclaration | undefined {
    const found = this.declared.roles.get(this.word(token));
    if (found === undefined || !this.#knows(found)) return this.#unknownRole(token, 'undeclared-role-attribute');
    if (found.isAttribute) return found;
    this.report(policy['not-a-role-attribute'](this.origin(token), { name: found.name }));
    return undefined;
  }

  /** Roles and role attributes of a set. */
  roles(set: Token, statement: string): Set<RoleDeclaration> {
    const found = new Set<RoleDeclaration>();
    for (const token of this.plainNames(set, 'roles', statement)) {
      const role = this.role(token);
      if (role !== undefined) found.add(role);
    }
    return found;
  }

  user(token: Token): UserDeclaration | undefined {
    const found = this.declared.users.get(this.word(token));
    if (found !== undefined && this.#knows(found)) return found;
    // A policy without users is told so once.
    if (this.declared.users.size === 0 && !this.tree.isWhole) return undefined;
    return this.#unknown(token, () => {
      const isElsewhere = found?.isDeclared === true;
      const known = [...this.declared.users.values()].filter(({ isDeclared }) => isDeclared).map(({ name }) => name);
      return policy['unknown-user'](
        this.origin(token),
        { name: this.word(token) },
        this.suggest(token, isElsewhere ? [] : known, isElsewhere ? this.#elsewhere(found) : []),
      );
    });
  }

  boolean(token: Token): BooleanDeclaration | undefined {
    const found = this.declared.booleans.get(this.word(token));
    if (found !== undefined && this.#sees(found, 'bool', token)) return found;
    if (this.#isRequired('bool', token)) {
      return { name: this.word(token), token, isTunable: false, state: false, value: 0, home: undefined };
    }
    return this.#unknown(token, () =>
      policy['unknown-boolean'](
        this.origin(token),
        { name: this.word(token) },
        this.suggest(token, found === undefined ? this.declared.booleans.keys() : [], this.#elsewhere(found)),
      ),
    );
  }
}
