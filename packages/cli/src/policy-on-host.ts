/**
 * A policy and the host that runs it, or is to run it: whether they are one, what would change, who would be locked out.
 *
 * @module
 */
import { initialContext } from '@dewar/policy/analysis';
import { type Context, readPolicydb } from '@dewar/policy/policydb';
import { hasEarlyChecks, type XenRelease, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import { hasErrors } from '@dewar/policy/text';
import type { BooleanState, DomainState } from '@dewar/toolstack';
import { PolicyStore, type XenHost } from '@dewar/xen';
import { RequestError } from './failures.ts';
import { realHostFolder, tablesOf } from './host-session.ts';
import { type Exposures, newExposures } from './memory-exposure.ts';
import { readPolicy } from './policy-input.ts';
import { printDiagnostics, type Terminal } from './terminal.ts';

/** What dom0 cannot do without, lest nobody can load another policy or even see the domains. */
const LIFELINES = [
  { class: 'security', target: 'security', permission: 'load_policy' },
  { class: 'security', target: 'security', permission: 'setenforce' },
  { class: 'domain', target: 'dom0', permission: 'getdomaininfo' },
] as const;

/** What it takes too where Xen asks before it lists domains. */
const LIST_LIFELINE = { class: 'domain', target: 'domxen', permission: 'getdomaininfo' } as const;

/** Makes the booleans hold that the host has. */
export function applyBooleans(view: PolicyView, booleans: readonly BooleanState[]): void {
  for (const { name, enforcing } of booleans) {
    const symbol = view.policy.booleans.byName.get(name);
    if (symbol !== undefined) view.booleans[symbol.value] = enforcing;
  }
  view.applyBooleans();
}

/** Whether a policy grants all of some permissions. */
function grants(
  view: PolicyView,
  source: Context,
  target: Context,
  className: string,
  permissions: readonly string[],
): boolean {
  const tclass = view.policy.classes.byName.get(className);
  if (tclass === undefined) return false;
  const { allowed } = view.computeAv(source, target, tclass.value);
  return permissions.every((name) => {
    const symbol = tclass.permissions.find((known) => known.name === name);
    return symbol !== undefined && ((allowed >>> (symbol.value - 1)) & 1) === 1;
  });
}

/** What dom0 could no longer do: sentences; none when it is not locked out. */
export function lockOuts(
  view: PolicyView,
  dom0Label: string,
  { name, initialSids }: Pick<XenRelease, 'name' | 'initialSids'>,
): string[] {
  const dom0 = view.readValid(dom0Label);
  if (dom0 === undefined) return [`the policy has no label \`${dom0Label}\`, which dom0 has`];
  const lifelines = hasEarlyChecks(name) ? [...LIFELINES, LIST_LIFELINE] : LIFELINES;
  return lifelines.flatMap(({ class: className, target, permission }) => {
    const context = target === 'dom0' ? dom0 : initialContext(view.policy, initialSids, target);
    const isGranted = context !== undefined && grants(view, dom0, context, className, [permission]);
    const where = target === 'domxen' ? ' on the label of `domxen`' : '';
    return isGranted ? [] : [`dom0 lacks \`${className} { ${permission} }\`${where}`];
  });
}

/** Whether a domain with this label may do something with FLASK itself, such as `load_policy`. */
export function mayDo(
  view: PolicyView,
  label: string,
  initialSids: readonly string[],
  permission: 'load_policy' | 'setbool',
): boolean {
  const [source, target] = [view.readValid(label), initialContext(view.policy, initialSids, 'security')];
  return source !== undefined && target !== undefined && grants(view, source, target, 'security', [permission]);
}

/** What a new policy changes for the domains that run. */
export interface PolicyChanges {
  /** Domains whose label the new policy does not have. */
  readonly invalid: readonly DomainState[];
  /** Commands of xl that worked and would no longer, with what they would lack. */
  readonly lost: readonly {
    readonly domain: DomainState;
    readonly command: string;
    readonly lacks: readonly string[];
  }[];
  /** Who could newly reach whose memory, and how. */
  readonly exposures: Exposures;
}

/** What dom0 asks for to do something with a guest that runs. */
async function commandTable(release: XenReleaseName): Promise<
  readonly {
    readonly command: string;
    readonly checks: readonly { readonly class: string; readonly permissions: readonly string[] }[];
  }[]
> {
  const { checksOfCommand } = await import('@dewar/hypervisor');
  const commands = [
    'list',
    'pause',
    'unpause',
    'shutdown',
    'reboot',
    'save',
    'dump-core',
    'destroy',
    'vcpu-list',
    'mem-set',
  ];
  return commands.map((command) => ({
    command,
    checks: checksOfCommand(`xl ${command}`, release).filter(
      ({ source, target }) => source === 'dom0' && target === 'guest',
    ),
  }));
}

/** Compares two policies on the domains of a host; without the old one, all that the new one refuses counts as lost. */
export async function changesFor(
  domains: readonly DomainState[],
  before: PolicyView | undefined,
  after: PolicyView,
  release: XenRelease,
): Promise<PolicyChanges> {
  const labelled = domains.filter(({ label }) => label !== undefined);
  const invalid = labelled.filter(({ label }) => after.readValid(label ?? '') === undefined);
  const dom0Label = domains.find(({ domid }) => domid === 0)?.label ?? '';
  const table = await commandTable(release.name);
  const lost: PolicyChanges['lost'][number][] = [];
  const dom0 = { before: before?.readValid(dom0Label), after: after.readValid(dom0Label) };
  for (const domain of labelled) {
    const now = after.readValid(domain.label ?? '');
    const then = before?.readValid(domain.label ?? '');
    if (now === undefined || dom0.after === undefined || domain.domid === 0) continue;
    for (const { command, checks } of table) {
      const lacks = checks.filter((one) => !grants(after, dom0.after as Context, now, one.class, one.permissions));
      const worked =
        before === undefined ||
        (then !== undefined &&
          dom0.before !== undefined &&
          checks.every((one) => grants(before, dom0.before as Context, then, one.class, one.permissions)));
      const texts = [...new Set(lacks.map((one) => `${one.class} { ${one.permissions.join(' ')} }`))];
      if (worked && texts.length > 0) lost.push({ domain, command, lacks: texts });
    }
  }
  return { invalid, lost, exposures: newExposures(labelled, before, after, release.initialSids) };
}

/** So many decisions are compared to tell one policy from another; each is a hypercall. */
const QUESTIONS = 400;

/**
 * Asks the host for its booleans, which a policy must have too, and for decisions that it makes too, between the labels
 * that are in use and some that are not, and answers the first that differs; undefined when none does, `not-asked` when
 * dom0 may not ask (`compute_av`).
 */
export async function firstDifference(
  host: XenHost,
  view: PolicyView,
  domains: readonly DomainState[],
  classes: readonly { readonly name: string; readonly permissions: readonly string[] }[],
): Promise<{ readonly seqno: number; readonly difference: string | undefined } | 'not-asked'> {
  const inUse = domains.flatMap(({ label }) => (label === undefined ? [] : [label]));
  const initial = view.policy.objectContexts.initialSids.map(({ context }) => view.text(context));
  const labels = [...new Set([...inUse, ...initial])];
  const questions: { source: string; target: string; tclass: number }[] = [];
  for (const source of labels) {
    for (const target of labels) {
      for (let i = 0; i < classes.length; i++) questions.push({ source, target, tclass: i + 1 });
    }
  }
  // Evenly spread, and the same each time.
  const step = Math.max(1, Math.floor(questions.length / QUESTIONS));
  const asked = questions.filter((_, i) => i % step === 0).slice(0, QUESTIONS);
  const booleans = (await host.booleans()).value?.map(({ name }) => name);
  const named = [...view.policy.booleans.byName.keys()];
  const missing = booleans && named.find((name) => !booleans.includes(name));
  if (missing !== undefined) return notTheSame(`Xen has no boolean \`${missing}\``);
  const unknown = booleans?.find((name) => !named.includes(name));
  if (unknown !== undefined) return notTheSame(`the policy has no boolean \`${unknown}\``);
  for (const label of labels)
    if ((await host.knowsLabel(label)) === false) return notTheSame(`Xen has no label \`${label}\``);
  const answers = await host.decide(asked);
  if (answers === undefined) return 'not-asked';
  for (const [i, question] of asked.entries()) {
    const { name = '', permissions = [] } = classes[question.tclass - 1] ?? {};
    const tclass = view.policy.classes.byName.get(name);
    const [source, target] = [view.readValid(question.source), view.readValid(question.target)];
    if (tclass === undefined) continue;
    if (source === undefined || target === undefined)
      return notTheSame(`the policy has no label \`${question.source}\``);
    const { allowed } = view.computeAv(source, target, tclass.value);
    for (const [bit, permission] of permissions.entries()) {
      const symbol = tclass.permissions.find((one) => one.name === permission);
      if (symbol === undefined) continue;
      const [xen, policy] = [((answers[i]?.allowed ?? 0) >>> bit) & 1, (allowed >>> (symbol.value - 1)) & 1];
      if (xen === policy) continue;
      const words = xen === 1 ? 'Xen allows, and the policy does not' : 'the policy allows, and Xen does not';
      return notTheSame(`${words}: ${name} { ${permission} } from \`${question.source}\` to \`${question.target}\``);
    }
  }
  return { seqno: answers[0]?.seqno ?? 0, difference: undefined };
}

function notTheSame(difference: string): { readonly seqno: number; readonly difference: string } {
  return { seqno: 0, difference };
}

/** A binary with what decisions need; undefined where it cannot be read. */
export function viewOf(bytes: Uint8Array | undefined): PolicyView | undefined {
  if (bytes === undefined) return undefined;
  const read = readPolicydb(bytes);
  return 'policy' in read ? new PolicyView(read.policy) : undefined;
}

/** The policy in force, if Dewar loaded it in this boot and Xen decides as it. */
export async function policyInForce(
  host: XenHost,
  store: PolicyStore,
  domains: readonly DomainState[],
): Promise<{ readonly bytes: Uint8Array; readonly name: string } | undefined> {
  const { loaded } = store;
  if (loaded === undefined || loaded.boot !== host.boot) return undefined;
  const bytes = store.read(loaded.sha256);
  const view = viewOf(bytes);
  if (bytes === undefined || view === undefined) return undefined;
  applyBooleans(view, (await host.booleans()).value ?? []);
  const { classes } = xenRelease(tablesOf(host.version));
  const answer = await firstDifference(host, view, domains, classes);
  if (answer === 'not-asked' || answer.difference !== undefined) return undefined;
  return { bytes, name: loaded.name };
}

/** The policy that the host has loaded: the one that is named, if Xen decides as it, or the one that Dewar loaded. */
export async function findPolicy(
  host: XenHost,
  named: string | undefined,
  terminal: Terminal,
): Promise<{ readonly bytes: Uint8Array; readonly name: string } | undefined> {
  const { value: domains = [] } = await host.list();
  if (named === undefined) return policyInForce(host, new PolicyStore(realHostFolder()), domains);
  const release = tablesOf(host.version);
  const reading = await readPolicy(named, { release });
  printDiagnostics(terminal, reading.diagnostics);
  const view = viewOf(reading.bytes);
  if (reading.bytes === undefined || view === undefined || hasErrors(reading.diagnostics))
    throw new RequestError(`\`${named}\` is no policy that a host can have loaded`);
  applyBooleans(view, (await host.booleans()).value ?? []);
  const answer = await firstDifference(host, view, domains, xenRelease(release).classes);
  if (answer !== 'not-asked' && answer.difference !== undefined)
    throw new RequestError(`\`${named}\` is not the policy that this host has loaded: ${answer.difference}`);
  return { bytes: reading.bytes, name: reading.name };
}
