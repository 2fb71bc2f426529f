/** What is told about the lives of domains is what a search through all labels finds, on small random policies. */
import { compileText } from '@dewar/policy/compiler';
import { lintPolicy } from '@dewar/policy/linter';
import { type Context, readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import { hasErrors, SourceText } from '@dewar/policy/text';
import { Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { policyWith } from '../diagnostics/prelude.ts';

const release = xenRelease('4.17');
const TYPES = ['dom0_t', 'domU_t', 'a_t', 'b_t', 'c_t'];
const PERMISSIONS = [
  ['domain', 'create'],
  ['domain', 'destroy'],
  ['domain', 'unpause'],
  ['domain', 'transition'],
  ['domain2', 'relabelfrom'],
  ['domain2', 'relabelto'],
  ['domain2', 'relabelself'],
] as const;

/** A few types, and rules about their lives, some in a block of a boolean, some under a constraint. */
function randomPolicy(seed: number): string {
  const random = new Random(seed);
  const rule = (): string => {
    const [tclass, permission] = random.pick(PERMISSIONS);
    // Most is done by dom0, or nothing would ever be made.
    const source = permission === 'transition' || random.once(4) ? random.pick(TYPES) : 'dom0_t';
    return `allow ${source} ${random.pick(TYPES)}:${tclass} ${permission};`;
  };
  const rules = (count: number): string[] => Array.from({ length: count }, rule);
  const lines = [
    'type a_t, domain_type; type b_t, domain_type; type c_t, domain_type;',
    'role vm_r types { a_t b_t c_t }; role system_r types a_t;',
    'user customer_2 roles vm_r;',
    'bool open false;',
    ...rules(8 + random.below(14)),
  ];
  if (random.once(2)) lines.push(`if (open) { ${rules(3).join(' ')} } else { ${rules(2).join(' ')} }`);
  if (random.once(2)) lines.push('allow dom0_t resource_t:security setbool;');
  if (random.once(2)) lines.push(`constrain domain ${random.pick(['create', 'destroy', 'unpause'])} (u1 == u2);`);
  if (random.once(3)) lines.push('constrain domain2 relabelto (t1 == dom0_t or u1 == u2);');
  return policyWith(lines.join('\n'), { isMls: false, classes: '4.17', keepsOrder: false });
}

/** The same, found by trying every label on every label. */
class Search {
  readonly #view: PolicyView;
  readonly #labels: readonly Context[];
  readonly #possible = new Set<string>();
  readonly #settings: boolean[] = [false];

  constructor(view: PolicyView) {
    this.#view = view;
    const { users, roles, types } = view.policy;
    this.#labels = users.entries.flatMap((user) =>
      roles.entries.flatMap((role) =>
        types.entries
          .filter(({ kind }) => kind === 'type')
          .map((type) => view.read(`${user.name}:${role.name}:${type.name}`))
          .filter((one) => one !== undefined),
      ),
    );
    const dom0 = view.read('system_u:system_r:dom0_t');
    if (dom0 !== undefined) this.#possible.add(view.text(dom0));
    this.#grow();
  }

  #set(open: boolean): void {
    const boolean = this.#view.policy.booleans.byName.get('open');
    if (boolean !== undefined) this.#view.booleans[boolean.value] = open;
    this.#view.applyBooleans();
  }

  may(source: Context, target: Context, className: string, permission: string): boolean {
    const tclass = this.#view.policy.classes.byName.get(className);
    const bit = tclass?.permissions.find(({ name }) => name === permission)?.value ?? 0;
    return ((this.#view.computeAv(source, target, tclass?.value ?? 0).allowed >>> (bit - 1)) & 1) === 1;
  }

  get domains(): readonly Context[] {
    return this.#labels.filter((one) => this.#possible.has(this.#view.text(one)));
  }

  relabels(old: Context): Context[] {
    return this.#labels.filter(
      (next) =>
        this.may(old, next, 'domain', 'transition') &&
        (this.may(old, next, 'domain2', 'relabelself') ||
          this.domains.some(
            (actor) => this.may(actor, old, 'domain2', 'relabelfrom') && this.may(actor, next, 'domain2', 'relabelto'),
          )),
    );
  }

  #grow(): void {
    const security = this.#view.read('system_u:object_r:resource_t');
    for (let size = -1; size !== this.#possible.size + this.#settings.length; ) {
      size = this.#possible.size + this.#settings.length;
      for (const open of [...this.#settings]) {
        this.#set(open);
        for (const one of this.domains) {
          const made = this.#labels.filter((label) => this.may(one, label, 'domain', 'create'));
          for (const label of [...made, ...this.relabels(one)]) this.#possible.add(this.#view.text(label));
          if (security !== undefined && this.#settings.length === 1 && this.may(one, security, 'security', 'setbool'))
            this.#settings.push(true);
        }
      }
    }
  }

  /** Whether something holds under some setting that the host can come to. */
  ever(holds: () => boolean): boolean {
    return this.#settings.some((open) => {
      this.#set(open);
      return holds();
    });
  }

  typeOf({ type }: Context): string {
    return this.#view.names.types[type] ?? '';
  }

  /** Every label that a domain can be given by its maker. */
  makings(): { readonly by: Context; readonly made: Context }[] {
    const found: { by: Context; made: Context }[] = [];
    for (const by of this.domains) {
      for (const made of this.#labels) {
        const isMade = this.ever(
          () =>
            this.may(by, made, 'domain', 'create') ||
            this.#labels.some(
              (first) =>
                this.may(by, first, 'domain', 'create') &&
                this.may(by, first, 'domain2', 'relabelfrom') &&
                this.may(by, made, 'domain2', 'relabelto') &&
                this.may(first, made, 'domain', 'transition'),
            ),
        );
        if (isMade) found.push({ by, made });
      }
    }
    return found;
  }

  /** Labels to which a domain can come from one, itself included. */
  comesTo(first: Context): Context[] {
    const found = [first];
    for (const old of found) {
      this.ever(() => {
        for (const next of this.relabels(old)) if (!found.includes(next)) found.push(next);
        return false;
      });
    }
    return found;
  }
}

function expected(view: PolicyView): string[] {
  const search = new Search(view);
  const makings = search.makings();
  const stranded = makings.filter(({ by, made }) => search.ever(() => !search.may(by, made, 'domain', 'destroy')));
  const types = [...new Set(makings.map(({ made }) => search.typeOf(made)))];
  const runs = (label: Context): boolean =>
    search
      .comesTo(label)
      .some((one) => search.ever(() => search.domains.some((by) => search.may(by, one, 'domain', 'unpause'))));
  const idle = types.filter((type) => !makings.some(({ made }) => search.typeOf(made) === type && runs(made)));
  return [
    ...new Set(stranded.map(({ by, made }) => `cannot-destroy ${search.typeOf(by)} ${search.typeOf(made)}`)),
    ...idle.map((type) => `never-unpaused ${type}`),
  ].sort();
}

/** The names in a finding. */
function told(found: ReturnType<typeof lintPolicy>): string[] {
  return found
    .map(({ code, message }) => {
      const names = [...message.matchAll(/`(\w+_t)`/g)].map((match) => match[1]);
      return `${code.replace('lint/', '')} ${names.join(' ')}`;
    })
    .sort();
}

describe('stranded domains', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => ({ seed })))('of random policy $seed', ({ seed }) => {
    const compiled = compileText(new SourceText('policy.conf', randomPolicy(seed)));
    if (compiled.bytes === undefined || hasErrors(compiled.diagnostics))
      throw new Error(compiled.diagnostics.map(({ message }) => message).join('; '));
    const read = readPolicydb(compiled.bytes);
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    const found = lintPolicy(
      { policy: read.policy, compiled, release },
      { only: ['cannot-destroy', 'never-unpaused'] },
    );
    expect(told(found)).toEqual(expected(new PolicyView(read.policy)));
  });
});
