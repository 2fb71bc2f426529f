/**
 * Which rules of a policy scenarios have exercised, and where these were written.
 *
 * A rule is exercised by a check that it helps to grant, by a denial that it keeps out of the log (`dontaudit`), by a line
 * that it puts there (`auditallow`), and by a label that it gives to something new. Rules in a conditional block count
 * while their branch holds. What it means for constraints, roles and users `other-statements.ts` says. `type_member` and
 * `type_change` rules are not counted: no operation of Xen asks for what they give.
 *
 * Start reading at `CoverageRecorder`.
 *
 * @module
 */
import { CHECKS, type ObservedLabel, type ObservedTransition } from '@dewar/hypervisor';
import { RuleFinder, type WrittenRule } from '@dewar/policy/analysis';
import { type CompiledPolicy, ruleOrigin } from '@dewar/policy/compiler';
import { conditionHolds, type PolicyDb } from '@dewar/policy/policydb';
import type { Origin, SourceText } from '@dewar/policy/text';
import type { CheckRecord, OperationReport } from '@dewar/toolstack';
import { checksOf, typeOf } from './check-patterns.ts';
import { type OtherKind, OtherStatements } from './other-statements.ts';
import type { PolicyImage, ScenarioHost } from './scenario-world.ts';

/** One rule, or all rules of a macro call, at a line; and how often it was exercised. */
export interface CoveredPart {
  /** Tells the parts of one line apart. */
  readonly key: string;
  count: number;
}

/** A line of a source on which rules are written, or a macro is called that makes rules. */
export interface CoveredLine {
  /** From 1. */
  readonly line: number;
  /** The rules that come from it. */
  readonly parts: readonly CoveredPart[];
}

/** The lines of one source that make rules, ascending. */
export interface CoveredFile {
  readonly source: SourceText;
  readonly lines: readonly CoveredLine[];
}

/** What scenarios exercised. */
export interface Coverage {
  readonly files: readonly CoveredFile[];
  /** Statements that make rules, as they stand after m4, and how many of them were exercised. */
  readonly rules: number;
  readonly exercised: number;
  /** The same for each kind of other statement that the policies have. */
  readonly others: readonly { readonly kind: OtherKind; readonly all: number; readonly exercised: number }[];
  /** Statements of `type_member` and `type_change`, for which nothing asks. */
  readonly neverAsked: number;
  /** `class permission` of every check that was made. */
  readonly checked: ReadonlySet<string>;
  /** Policies without a source: of their rules nothing is known. */
  readonly withoutSource: readonly string[];
}

/** The rules of one policy. */
class PolicyCoverage {
  readonly compiled: CompiledPolicy;
  readonly policy: PolicyDb;
  /** How often each statement was exercised. */
  readonly counts = new Map<number, number>();
  readonly others: OtherStatements;
  /** Statements for which nothing in Xen asks. */
  readonly neverAsked: number;
  readonly #finder: RuleFinder;

  constructor(compiled: CompiledPolicy, policy: PolicyDb) {
    this.compiled = compiled;
    this.policy = policy;
    this.#finder = new RuleFinder(policy);
    this.others = new OtherStatements(compiled);
    const never = new Set<number>();
    for (const { kind, statement } of this.#finder.all())
      if (kind === 'type_member' || kind === 'type_change') never.add(statement);
      else this.counts.set(statement, 0);
    this.neverAsked = never.size;
    for (const start of this.others.starts.keys()) this.counts.set(start, 0);
  }

  #add(statements: Iterable<number>, count: number): void {
    for (const one of new Set(statements)) this.counts.set(one, (this.counts.get(one) ?? 0) + count);
  }

  #hit(rules: readonly WrittenRule[], count: number, booleans: ReadonlyMap<string, boolean>): void {
    this.#add(
      rules.filter((rule) => this.#isInForce(rule, booleans)).map(({ statement }) => statement),
      count,
    );
  }

  #isInForce({ block }: WrittenRule, booleans: ReadonlyMap<string, boolean>): boolean {
    if (block === undefined) return true;
    const conditional = this.policy.conditionals[block.conditional];
    const values: boolean[] = [];
    for (const { name, value, state } of this.policy.booleans.entries) values[value] = booleans.get(name) ?? state;
    return conditional !== undefined && conditionHolds(conditional, values) === block.branch;
  }

  addCheck(check: CheckRecord, booleans: ReadonlyMap<string, boolean>): void {
    const ends = { source: typeOf(check.source), target: typeOf(check.target), class: check.class };
    const granted = check.permissions.filter((one) => !check.denied.includes(one));
    const find = (kind: WrittenRule['kind'], permissions: readonly string[]): readonly WrittenRule[] =>
      permissions.length === 0 ? [] : this.#finder.find({ kind, ...ends, permissions });
    this.#hit(find('allow', granted), check.count, booleans);
    if (check.avcLine !== undefined) this.#hit(find('auditallow', granted), check.count, booleans);
    this.#hit(find('dontaudit', check.denied), check.count, booleans);
    this.#add(this.others.ofCheck(check), check.count);
  }

  addTransition(transition: ObservedTransition, booleans: ReadonlyMap<string, boolean>): void {
    const { source, target, class: tclass } = transition;
    this.#add(this.others.ofTransition(transition), 1);
    const ends = { source: typeOf(source), target: typeOf(target), class: tclass };
    this.#hit(this.#finder.find({ kind: 'type_transition', ...ends }), 1, booleans);
  }

  addLabel(label: ObservedLabel): void {
    this.#add(this.others.ofLabel(label), 1);
  }
}

/** Gathers what scenarios exercise. */
export class CoverageRecorder {
  readonly #policies = new Map<PolicyImage, PolicyCoverage>();
  readonly #withoutSource = new Set<string>();
  readonly #checked = new Set<string>();
  #transitions: ObservedTransition[] = [];
  #labels: ObservedLabel[] = [];

  #of(image: PolicyImage): PolicyCoverage | undefined {
    const { compiled } = image;
    if (compiled?.policy === undefined) {
      this.#withoutSource.add(image.name);
      return undefined;
    }
    let found = this.#policies.get(image);
    if (found === undefined) {
      found = new PolicyCoverage(compiled, compiled.policy);
      this.#policies.set(image, found);
    }
    return found;
  }

  /** Listens to a host for labels, until it is told to stop; `addReport` takes what was heard. */
  observe(image: PolicyImage, host: ScenarioHost): () => void {
    this.#of(image);
    this.#transitions = [];
    this.#labels = [];
    const stops = [
      host.observeTransitions?.((transition) => this.#transitions.push(transition)),
      host.observeLabels?.((label) => this.#labels.push(label)),
    ];
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  /** Counts what an operation did under a policy, with the booleans as they stood. */
  addReport(image: PolicyImage, report: OperationReport<unknown>, booleans: ReadonlyMap<string, boolean>): void {
    const policy = this.#of(image);
    policy?.others.setBooleans(booleans);
    for (const check of checksOf(report)) {
      for (const permission of check.permissions) this.#checked.add(`${check.class} ${permission}`);
      policy?.addCheck(check, booleans);
    }
    for (const transition of this.#transitions) policy?.addTransition(transition, booleans);
    for (const label of this.#labels) policy?.addLabel(label);
    this.#transitions = [];
    this.#labels = [];
  }

  /** What was exercised so far. */
  result(): Coverage {
    const files = new Map<
      string,
      { readonly source: SourceText; readonly lines: Map<number, Map<string, CoveredPart>> }
    >();
    let rules = 0;
    let exercised = 0;
    let neverAsked = 0;
    const byKind = new Map<OtherKind, { all: number; exercised: number }>();
    for (const policy of this.#policies.values()) {
      const { compiled, counts, others } = policy;
      neverAsked += policy.neverAsked;
      for (const [statement, count] of counts) {
        const kind = others.starts.get(statement);
        const sum = kind === undefined ? undefined : (byKind.get(kind) ?? { all: 0, exercised: 0 });
        if (kind !== undefined && sum !== undefined) {
          byKind.set(kind, sum);
          sum.all++;
          if (count > 0) sum.exercised++;
        } else {
          rules++;
          if (count > 0) exercised++;
        }
        for (const [origin, key] of placesOf(ruleOrigin(compiled, statement))) {
          const { source, start } = origin.span;
          let file = files.get(source.name);
          if (file === undefined) {
            file = { source, lines: new Map() };
            files.set(source.name, file);
          }
          const { line } = source.positionAt(start);
          const parts = file.lines.get(line) ?? new Map<string, CoveredPart>();
          const part = parts.get(key);
          if (part === undefined) parts.set(key, { key, count });
          else part.count += count;
          file.lines.set(line, parts);
        }
      }
    }
    return {
      files: [...files.values()]
        .map(({ source, lines }) => ({
          source,
          lines: [...lines].sort(([a], [b]) => a - b).map(([line, parts]) => ({ line, parts: [...parts.values()] })),
        }))
        .sort((a, b) => (a.source.name < b.source.name ? -1 : 1)),
      rules,
      exercised,
      others: [...byKind].map(([kind, sum]) => ({ kind, ...sum })).sort((a, b) => (a.kind < b.kind ? -1 : 1)),
      neverAsked,
      checked: this.#checked,
      withoutSource: [...this.#withoutSource].sort(),
    };
  }
}

/**
 * The places of a rule: where it stands, and each macro call that it came through. The key tells the rules of one place
 * apart: by the place inside of the macro.
 */
function placesOf(origin: Origin): (readonly [Origin, string])[] {
  const inner = `${origin.span.source.name}:${origin.span.start}`;
  const places: (readonly [Origin, string])[] = [[origin, inner]];
  for (let at = origin; at.kind === 'expanded'; at = at.call) places.push([at.call, inner]);
  return places;
}

/** How often a line was exercised: as often as all of its rules together. */
export function lineCount({ parts }: CoveredLine): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}

/** `class permission` of every check that an operation of the simulated host can make. */
export function simulatedPermissions(): ReadonlySet<string> {
  const rows = Object.values(CHECKS).flat();
  return new Set(rows.flatMap((row) => row.permissions.map((permission) => `${row.class} ${permission}`)));
}
