/**
 * What snippets of policy may rely on: the classes and initial SIDs of a Xen release, a few types, roles and users.
 *
 * @module
 */
import { type XenReleaseName, xenRelease } from '@dewar/policy/releases';

/** The sections of a policy in their order. */
const SECTIONS = [
  'classes',
  'sids',
  'commons',
  'vectors',
  'defaults',
  'sensitivities',
  'dominance',
  'categories',
  'levels',
  'mlsConstraints',
  'rules',
  'users',
  'constraints',
  'contexts',
  'devices',
] as const;

type Section = (typeof SECTIONS)[number];
type Sections = Record<Section, string[]>;

const SECTION_OF: Readonly<Record<string, Section>> = {
  common: 'commons',
  default_user: 'defaults',
  default_role: 'defaults',
  default_type: 'defaults',
  default_range: 'defaults',
  sensitivity: 'sensitivities',
  dominance: 'dominance',
  category: 'categories',
  level: 'levels',
  mlsconstrain: 'mlsConstraints',
  mlsvalidatetrans: 'mlsConstraints',
  user: 'users',
  constrain: 'constraints',
  validatetrans: 'constraints',
  pirqcon: 'devices',
  pcidevicecon: 'devices',
  iomemcon: 'devices',
  ioportcon: 'devices',
  devicetreecon: 'devices',
};

/** Statements of MLS in a snippet stand for those of the prelude. */
const REPLACED: readonly Section[] = ['sensitivities', 'dominance', 'categories', 'levels', 'mlsConstraints'];

function sectionOf(statement: string): Section {
  if (/^class\s+\S+\s*$/.test(statement)) return 'classes';
  if (/^class\b/.test(statement)) return 'vectors';
  if (/^sid\s+\S+\s*$/.test(statement)) return 'sids';
  if (/^sid\b/.test(statement)) return 'contexts';
  // `dominance { role … }` is a rule.
  if (/^dominance\s*\{\s*role\b/.test(statement)) return 'rules';
  return SECTION_OF[/^\w*/.exec(statement)?.[0] ?? ''] ?? 'rules';
}

/** The statements of a snippet: one begins at each line that is not indented and closes nothing. */
function statementsOf(text: string): string[] {
  const statements: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (statements.length > 0 && /^[\s}]/.test(line)) statements.push(`${statements.pop() ?? ''}\n${line}`);
    else statements.push(line);
  }
  return statements;
}

function prelude(release: XenReleaseName, isMls: boolean): Sections {
  const { classes, initialSids } = xenRelease(release);
  const level = isMls ? ' level s0 range s0 - s1:c0.c3' : '';
  const contextOf = (sid: string): string => {
    const type = ['dom0', 'domU', 'domxen', 'xen'].includes(sid) ? `${sid}_t` : 'resource_t';
    const role =
      sid === 'domU' ? 'customer_1:vm_r' : sid === 'dom0' || sid === 'xen' ? 'system_u:system_r' : 'system_u:object_r';
    return `sid ${sid} ${role}:${type}${isMls ? ':s0' : ''}`;
  };
  return {
    classes: classes.map(({ name }) => `class ${name}`),
    sids: initialSids.map((name) => `sid ${name}`),
    commons: [],
    vectors: classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    defaults: [],
    sensitivities: isMls ? ['sensitivity s0;', 'sensitivity s1;'] : [],
    dominance: isMls ? ['dominance { s0 s1 }'] : [],
    categories: isMls ? ['category c0;', 'category c1;', 'category c2;', 'category c3;'] : [],
    levels: isMls ? ['level s0:c0.c3;', 'level s1:c0.c3;'] : [],
    mlsConstraints: isMls ? ['mlsconstrain domain create (l1 dom l2 or l1 domby l2 or l1 incomp l2);'] : [],
    rules: [
      'attribute domain_type;',
      'type xen_t; type dom0_t, domain_type; type domU_t alias guest_t, domain_type;',
      'type nic_t; type resource_t; type channel_t; type domxen_t;',
      'role system_r; role vm_r;',
      'role system_r types { xen_t dom0_t }; role vm_r types domU_t;',
      'bool locked false;',
      'allow dom0_t domU_t:domain { create pause };',
    ],
    users: [`user system_u roles system_r${level};`, `user customer_1 roles vm_r${level};`],
    constraints: [],
    contexts: initialSids.map(contextOf),
    devices: [],
  };
}

/** A whole policy with the statements of a snippet, each in its section; or, as they stand, among the rules. */
export function policyWith(
  text: string,
  options: { readonly isMls: boolean; readonly classes: XenReleaseName; readonly keepsOrder: boolean },
): string {
  const sections = prelude(options.classes, options.isMls);
  const statements = statementsOf(text);
  const kept = new Set<Section>();
  if (options.keepsOrder) sections.rules.push(...statements);
  else {
    for (const statement of statements) {
      const section = sectionOf(statement);
      if (REPLACED.includes(section) && !kept.has(section)) sections[section] = [];
      kept.add(section);
      sections[section].push(statement);
    }
  }
  return SECTIONS.flatMap((section) => sections[section])
    .map((line) => `${line}\n`)
    .join('');
}
