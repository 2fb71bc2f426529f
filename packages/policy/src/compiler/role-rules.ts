/**
 * Rules between roles: which may become which, and role transitions.
 *
 * Format: checkpolicy `policy_define.c` (`define_role_trans`), libsepol `expand.c` (`copy_role_allows`, `copy_role_trans`).
 *
 * @module
 */
import type { Statement, Token } from '../language/index.ts';
import type { RoleAllow, RoleTransition } from '../policydb/index.ts';
import type { RoleDeclaration } from './declarations.ts';
import { policy } from './diagnostics.ts';
import { InParts } from './in-parts.ts';
import { rolesMeant } from './roles.ts';
import type { RuleCompiler } from './rules.ts';
import type { Scope } from './scope.ts';

const ascending = (roles: Iterable<RoleDeclaration>): RoleDeclaration[] => [...roles].sort((a, b) => a.value - b.value);

interface TransitionRule {
  readonly roles: ReadonlySet<RoleDeclaration>;
  readonly types: Uint32Array;
  readonly classes: readonly number[];
  readonly newRole: RoleDeclaration;
  readonly at: Token;
}

/** Role allow rules and role transitions: of each part of the policy, the statement written last comes first. */
export class RoleRules {
  readonly #scope: Scope;
  readonly #allows: InParts<{ readonly source: Set<RoleDeclaration>; readonly target: Set<RoleDeclaration> }> =
    new InParts();
  readonly #transitions: InParts<TransitionRule> = new InParts();
  /** The statement that gave each transition, role attributes and optional blocks left out of account. */
  readonly #written = new Map<string, Token>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Takes a rule. One that does not count is looked at, and forgotten. */
  addAllow(node: Extract<Statement, { kind: 'role-allow' }>, counts: boolean): void {
    const source = this.#scope.roles(node.source, 'allow');
    const target = this.#scope.roles(node.target, 'allow');
    if (counts) this.#allows.add({ source, target });
  }

  /** Takes a rule. One that does not count is forgotten, but must not be repeated either. */
  addTransition(node: Extract<Statement, { kind: 'role_transition' }>, rules: RuleCompiler, counts: boolean): void {
    const scope = this.#scope;
    const roles = scope.roles(node.source, 'role_transition');
    const types = rules.expandedTypes(node.types, 'role_transition', 'types');
    const classes = transitionClasses(scope, node.classes, node.at, 'role_transition', rules);
    const newRole = scope.plainRole(node.result);
    if (types === undefined || classes === undefined || newRole === undefined) return;
    for (const role of roles) {
      for (const type of types.written) {
        for (const tclass of classes) {
          const key = `${role.name} ${type} ${tclass}`;
          const earlier = this.#written.get(key);
          if (earlier !== undefined) {
            this.#reportRepeated(node.at, earlier, { role: role.name, type, class: className(scope, tclass) });
            return;
          }
          this.#written.set(key, node.at);
        }
      }
    }
    if (counts) this.#transitions.add({ roles, types: types.values, classes, newRole, at: node.at });
  }

  #reportRepeated(at: Token, earlier: Token, names: { role: string; type: string; class: string }): void {
    const scope = this.#scope;
    const extra = scope.earlier(earlier, 'the earlier one is here');
    scope.report(policy['duplicate-role-transition'](scope.origin(at), names, extra));
  }

  /** Ends the rules of one part of the policy: what is outside of optional blocks, or one block. */
  endPart(): void {
    this.#allows.endPart();
    this.#transitions.endPart();
  }

  finish(): { allows: RoleAllow[]; transitions: RoleTransition[] } {
    const allows: RoleAllow[] = [];
    const known = new Set<string>();
    for (const { source, target } of this.#allows.inOrder()) {
      for (const role of ascending(rolesMeant(source))) {
        for (const newRole of ascending(rolesMeant(target))) {
          const key = `${role.value}:${newRole.value}`;
          if (known.has(key)) continue;
          known.add(key);
          allows.push({ role: role.value, newRole: newRole.value });
        }
      }
    }
    return { allows, transitions: this.#finishTransitions() };
  }

  /** The transitions, each once. Attributes may bring two rules to one case: they must agree. */
  #finishTransitions(): RoleTransition[] {
    const scope = this.#scope;
    const made: RoleTransition[] = [];
    const known = new Map<string, TransitionRule>();
    for (const rule of this.#transitions.inOrder()) {
      for (const role of ascending(rolesMeant(rule.roles))) {
        for (const type of rule.types) {
          for (const tclass of rule.classes) {
            const key = `${role.value}:${type}:${tclass}`;
            const other = known.get(key);
            if (other === undefined) {
              known.set(key, rule);
              made.push({ role: role.value, type, tclass, newRole: rule.newRole.value });
            } else if (other.newRole !== rule.newRole) {
              const names = { role: role.name, type: typeName(scope, type), class: className(scope, tclass) };
              this.#reportRepeated(Math.max(rule.at, other.at), Math.min(rule.at, other.at), names);
              return made;
            }
          }
        }
      }
    }
    return made;
  }
}

export function typeName(scope: Scope, value: number): string {
  for (const type of scope.declared.types.values()) if (type.value === value && type.kind !== 'alias') return type.name;
  return String(value);
}

export function className(scope: Scope, value: number): string {
  for (const tclass of scope.declared.classes.values()) if (tclass.value === value) return tclass.name;
  return String(value);
}

/** Values of the classes of a role or range transition, ascending; without a set they are for class `process`. */
export function transitionClasses(
  scope: Scope,
  set: number | undefined,
  at: number,
  statement: string,
  rules: RuleCompiler,
): number[] | undefined {
  if (set !== undefined) return rules.classes(set, statement).map(({ value }) => value);
  const process = scope.declared.classes.get('process');
  if (process !== undefined) return [process.value];
  const notes = [{ message: 'Xen has no processes: name a class after a colon, such as `:domain`' }];
  scope.report(policy['no-process-class'](scope.origin(at), { statement }, { notes }));
  return undefined;
}
