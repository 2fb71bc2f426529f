/**
 * Types of domains that lack something that every domain needs.
 *
 * @module
 */
import { type Label, type Request, requestOf } from '../../analysis/index.ts';
import { OBJECT_R } from '../../policydb/index.ts';
import type { Diagnostic } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import { addBehind, type LintSubject } from '../lint-subject.ts';
import { canBeUnpaused } from './lives-of-domains.ts';

/** What a guest asks of itself when it starts. */
interface OwnRight {
  readonly class: string;
  readonly permissions: readonly string[];
}

/**
 * What a guest of every kind does to itself. XEN: `common/grant_table.c` (`gnttab_setup_table`, `gnttab_query_size`), as
 * Linux and MiniOS call them before they use a PV device.
 */
const ALL_KINDS: readonly OwnRight[] = [{ class: 'grant', permissions: ['query', 'setup'] }];

/**
 * What the one kind or the other does to itself. XEN: `xsm/flask/hooks.c`: a PV guest fills its page tables
 * (`flask_mmu_update`), a PVH or HVM guest finds its rings (`flask_hvm_param`).
 */
const ONE_KIND: readonly OwnRight[] = [
  { class: 'mmu', permissions: ['map_read', 'map_write'] },
  { class: 'hvm', permissions: ['getparam'] },
];

/** Types that can be made to run and lack what a guest does to itself, under every setting of the booleans. */
export function noOwnRights(subject: LintSubject): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [type, { by, first, labels: made }] of subject.madeTypes) {
    const labels = [...made];
    if (!labels.some((label) => canBeUnpaused(subject, label))) continue;
    const has = (right: OwnRight): boolean => labels.some((label) => hasOwn(subject, label, right));
    const missing = ALL_KINDS.filter((right) => !has(right));
    if (!ONE_KIND.some(has)) missing.push(...ONE_KIND);
    const known = missing.filter((right) => requestOf(subject.policy, right.class, right.permissions) !== undefined);
    if (known.length === 0) continue;
    const self = subject.decisions.domainLabel(labels[0] as Label, labels[0] as Label)?.type ?? type;
    const name = subject.typeName(type);
    const rights = known.map((right) => `\`${right.class} { ${right.permissions.join(' ')} }\``).join(', ');
    const origin = typeOrigin(subject, name) ?? subject.ruleOrigin(by.type, first.type, 'domain', 'create');
    const notes = [
      self === type
        ? { message: 'it is the target of these checks itself: no `type_transition` gives it a label of its own kind' }
        : { message: `the target of these checks is \`${subject.typeName(self)}\`` },
    ];
    const statements = known.map(
      (right) => `allow ${name} ${subject.typeName(self)}:${right.class} { ${right.permissions.join(' ')} };`,
    );
    const fixes = addBehind(origin, statements.join(' '));
    found.push(lint['no-own-rights'](origin, { type: name, rights }, { notes, fixes }));
  }
  return found;
}

function hasOwn(subject: LintSubject, label: Label, right: OwnRight): boolean {
  const request = requestOf(subject.policy, right.class, right.permissions);
  return request !== undefined && isOwn(subject, label, request);
}

function isOwn(subject: LintSubject, label: Label, request: Request): boolean {
  return subject.settings.some((setting) => {
    subject.setBooleans(setting);
    const self = subject.decisions.domainLabel(label, label) ?? label;
    return subject.decisions.allows(label, self, request);
  });
}

/** Where a type is declared. */
function typeOrigin(subject: LintSubject, name: string): ReturnType<LintSubject['ruleOrigin']> {
  return subject.declarationOrigin('type', name);
}

/** Types that rules let a domain be made as, and no label can have but as a thing. */
export function typeWithoutRole(subject: LintSubject): Diagnostic[] {
  const { policy, decisions } = subject;
  const create = requestOf(policy, 'domain', ['create']);
  if (create === undefined) return [];
  const used = policy.users.entries.flatMap(({ roles }) => [...roles.bits]);
  const roles = policy.roles.entries.filter(({ value }) => value !== OBJECT_R && used.includes(value - 1));
  const initial = new Set(policy.objectContexts.initialSids.map(({ context }) => context.type));
  return (decisions.affectedTypes(create) ?? [])
    .filter((type) => !initial.has(type) && !roles.some(({ types }) => types.has(type - 1)))
    .map((type) => {
      const name = subject.typeName(type);
      const notes = [{ message: 'no xl.cfg can name a label with it, so no domain is ever made as it' }];
      return lint['type-without-role'](typeOrigin(subject, name), { type: name }, { notes });
    });
}
