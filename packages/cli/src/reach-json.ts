/**
 * What `dewar reach` found, as plain data and as what its report is made of.
 *
 * @module
 */
import type { Access, GuestPhase, MemoryWay, OperationCheck, Parties, RulesBehind, Step } from '@dewar/policy/analysis';
import type { Context } from '@dewar/policy/policydb';
import type { Origin } from '@dewar/policy/text';
import { gapsJson } from './gap-lines.ts';
import type { ReachResult } from './reach-result.ts';
import { originJson } from './report-json.ts';

/** A check that was passed, and the rules that it rests on. */
export interface ShownCheck {
  readonly source: string;
  readonly target: string;
  readonly class: string;
  readonly permissions: readonly string[];
  readonly rules: readonly string[];
  readonly places: readonly Origin[];
}

/** Finds the rules behind checks, once for each. */
export class Evidence {
  readonly #result: ReachResult;
  readonly #rules: RulesBehind;
  readonly #origin: typeof import('@dewar/policy/compiler').ruleOrigin;
  readonly #known = new Map<string, ShownCheck>();

  private constructor(
    result: ReachResult,
    rules: RulesBehind,
    origin: typeof import('@dewar/policy/compiler').ruleOrigin,
  ) {
    this.#result = result;
    this.#rules = rules;
    this.#origin = origin;
  }

  static async of(result: ReachResult): Promise<Evidence> {
    const { RulesBehind } = await import('@dewar/policy/analysis');
    const { ruleOrigin } = await import('@dewar/policy/compiler');
    return new Evidence(result, new RulesBehind(result.rules), ruleOrigin);
  }

  /** The checks of a way as somebody goes it. */
  checks(way: MemoryWay, parties: Parties): ShownCheck[] {
    const { decisions } = this.#result.answer;
    return way.checks.flatMap(({ source, target, class: tclass, permissions, isAnyEnough }) => {
      const of = (party: keyof Parties): Context | undefined => {
        if (party !== 'self' || parties.actor === undefined) return parties[party];
        return decisions.domainLabel(parties.actor, parties.actor) ?? parties.actor;
      };
      const from = of(source === 'guest' ? 'guest label' : source);
      const to = of(target);
      if (from === undefined || to === undefined) return [];
      const needed = isAnyEnough ? permissions.slice(0, 0) : permissions;
      return [this.#check(from, to, tclass, permissions, needed.length === 0)];
    });
  }

  #check(
    source: Context,
    target: Context,
    tclass: string,
    permissions: readonly string[],
    isAnyEnough: boolean,
  ): ShownCheck {
    const { answer, compiled } = this.#result;
    const { names } = answer.decisions.view;
    const [from, to] = [names.types[source.type] ?? '', names.types[target.type] ?? ''];
    const key = `${from} ${to} ${tclass} ${permissions.join(' ')}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      const found = this.#rules.find(from, to, tclass, permissions);
      const given = new Set(found.flatMap((rule) => rule.permissions));
      const statements = [...new Set(found.flatMap((rule) => rule.statements))];
      known = {
        source: from,
        target: to,
        class: tclass,
        permissions: isAnyEnough ? permissions.filter((one) => given.has(one)) : permissions,
        rules: found.map(({ text }) => text),
        places: compiled === undefined ? [] : statements.map((one) => this.#origin(compiled, one)),
      };
      this.#known.set(key, known);
    }
    return { ...known, source: answer.decisions.labels.text(source), target: answer.decisions.labels.text(target) };
  }
}

/** What booleans have to be, by name. */
export function settingNames(result: ReachResult, changes: ReadonlyMap<number, boolean>): Record<string, boolean> {
  const names = new Map(result.answer.decisions.policy.booleans.entries.map(({ name, value }) => [value, name]));
  return Object.fromEntries([...changes].map(([boolean, value]) => [names.get(boolean) ?? '', value]));
}

/** The whole answer as plain data. */
export async function reachJson(result: ReachResult): Promise<object> {
  const { answer, shows } = result;
  const { labels } = answer.decisions;
  const evidence = await Evidence.of(result);
  const checkJson = ({ places, ...check }: ShownCheck): object => ({ ...check, places: places.map(originJson) });
  const wayJson = (way: MemoryWay, parties: Parties): object => ({
    way: way.name,
    does: way.does,
    gives: way.gives,
    certainty: way.certainty,
    consent: way.consent,
    condition: way.condition,
    restsOn: way.restsOn,
    checks: evidence.checks(way, parties).map(checkJson),
  });
  const accessJson = ({ holder, way, parties, sees }: Access): object => ({
    holder: labels.text(holder),
    sees: sees === undefined ? undefined : labels.text(sees),
    ...wayJson(way, parties),
  });
  const stepJson = ({ way, parties, gains, under }: Step): object => ({
    ...wayJson(way, parties),
    by: parties.actor === undefined ? undefined : labels.text(parties.actor),
    actsThenAs: gains === undefined ? undefined : labels.text(gains),
    booleans: under === undefined ? undefined : settingNames(result, under),
  });
  return {
    policy: result.policyName,
    guest: result.guestName,
    build: labels.text(result.build),
    run: labels.text(result.run),
    phases: answer.phases.map(({ phase, label, access, otherSettings }) => ({
      phase,
      label: labels.text(label),
      access: access.filter(({ holder }) => shows(holder)).map(accessJson),
      underOtherBooleans: otherSettings.map(({ changes, access: more }) => ({
        booleans: settingNames(result, changes),
        access: more.filter(({ holder }) => shows(holder)).map(accessJson),
      })),
    })),
    isObtainedSearched: answer.isSearched,
    obtained: answer.obtained
      .filter(({ actor }) => shows(actor))
      .map(({ actor, steps, phases }) => ({ actor: labels.text(actor), phases, steps: steps.map(stepJson) })),
    powers: answer.powers.filter(({ holder }) => shows(holder)).map(accessJson),
    operations: operationsJson(result, await operations(result)),
    possibleLabels: answer.possible.labels.size,
    bounds: answer.bounds,
    unknownWays: answer.unknownWays.map(({ name }) => name),
    xen: result.release,
    letsPass: gapsJson(result.release),
    notCovered: NOT_COVERED,
  };
}

/** What the checks of some operations come to. */
export interface Operations {
  readonly save: readonly OperationCheck[];
  readonly relabel: readonly OperationCheck[];
  readonly passthrough: readonly OperationCheck[];
  /** Labels around the relabel: what the guest is to itself, and its event channels to dom0. */
  readonly around: readonly { readonly phase: GuestPhase; readonly self: string; readonly channel: string }[];
}

/** The operations of dom0 on the guest, checked. */
export async function operations(result: ReachResult): Promise<Operations> {
  const { passthroughChecks, relabelChecks, saveChecks } = await import('@dewar/policy/analysis');
  const { decisions } = result.answer;
  const { labels } = decisions;
  if (result.dom0 === undefined) return { save: [], relabel: [], passthrough: [], around: [] };
  const [dom0, build, run] = [labels.label(result.dom0), labels.label(result.build), labels.label(result.run)];
  const domxen = result.domxen === undefined ? undefined : labels.label(result.domxen);
  const around = (build === run ? [run] : [build, run]).map((label) => {
    const [self, channel] = [decisions.domainLabel(label, label), decisions.channelLabel(label, dom0)];
    return {
      phase: label === run ? ('running' as const) : ('built' as const),
      self: self === undefined ? 'not valid' : labels.text(self),
      channel: channel === undefined ? 'not valid' : labels.text(channel),
    };
  });
  return {
    save: saveChecks(decisions, dom0, run, domxen),
    relabel: build === run ? [] : relabelChecks(decisions, dom0, build, run),
    passthrough:
      result.device === undefined ? [] : passthroughChecks(decisions, dom0, run, labels.label(result.device)),
    around,
  };
}

function operationsJson(result: ReachResult, found: Operations): object {
  const { labels } = result.answer.decisions;
  const plain = (checks: readonly OperationCheck[]): object[] =>
    checks.map(({ source, target, ...rest }) => ({
      source: labels.text(source),
      target: labels.text(target),
      ...rest,
    }));
  return {
    save: plain(found.save),
    relabel: plain(found.relabel),
    passthrough: plain(found.passthrough),
    labels: found.around,
  };
}

/** What no answer covers. */
export const NOT_COVERED: readonly string[] = [
  'mappings made before a change of label or policy stay until who made them gives them up: Xen asks when a page is mapped, not when it is used',
  'a device that is not behind an IOMMU reads and writes all memory, whoever drives it',
  'what leaves through disks, networks, timing, caches and the use of resources',
  'what a guest does by itself: what it grants, sends, or signals',
  'labels given by hand at run time (flask-label-pci), and a host that is permissive or has no policy loaded',
];
