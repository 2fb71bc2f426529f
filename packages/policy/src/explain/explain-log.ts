/**
 * From the lines of a log to their causes.
 *
 * Each group of equal lines is asked about permission by permission; what has the same cause becomes one finding.
 * Start reading at `explainLog`.
 *
 * @module
 */

import { rulesGiving } from '../analysis/index.ts';
import { AVTAB_AUDITALLOW, type ClassSymbol, type Context } from '../policydb/index.ts';
import { type ClassPermission, operationOf } from '../releases/index.ts';
import type { SourceText } from '../text/index.ts';
import { type ChosenFix, chooseFixes, type Need } from './choose-fix.ts';
import { ConstraintFinder, type FailedConstraint } from './failed-constraints.ts';
import type { Cause, ExplainedLines, Finding, LogExplanation, RulePlace, Successor } from './findings.ts';
import { groupLines, type LineGroup } from './group-lines.ts';
import {
  isUnlabeled,
  ownersWithoutChannelType,
  type ReadLabel,
  readLabel,
  typesThatMay,
  unlabeledResource,
  unlabeledTarget,
} from './label-faults.ts';
import type { AvcLine, LabelLine, LogReading, UnknownOperationLine } from './log-lines.ts';
import { MacroCalls } from './macro-calls.ts';
import { brokenNeverallows } from './neverallows.ts';
import { placeFor } from './place-statement.ts';
import { conditionPlaces, rulePlaces } from './rule-places.ts';
import { initialContext, permissionBit, permissionNames, type Subject, typeName, writtenPolicy } from './subject.ts';
import { type UnknownName, unknownBits, unknownClass, unknownPermission } from './unknown-names.ts';
import { type Verdict, verdictsOn } from './why-denied.ts';

/** Groups of equal lines that one log is explained by; a log with more says the same in other words. */
const MAX_GROUPS = 5000;

/** A finding as it grows. */
interface Growing {
  cause: Cause;
  readonly lines: ExplainedLines[];
}

/** What a permission without a rule waits for: the other lines of the log. */
interface OpenNeed {
  readonly need: Need;
  readonly lines: ExplainedLines;
  readonly constraints: readonly FailedConstraint[];
}

class Explainer {
  /** Lines that name no permission. */
  withoutPermission = 0;
  readonly #subject: Subject;
  readonly #found = new Map<string, Growing>();
  readonly #needs: OpenNeed[] = [];
  readonly #constraints: ConstraintFinder;
  /** They follow from an unlabeled domain where the log has one, so they wait for all lines. */
  readonly #derived: { readonly lines: ExplainedLines; readonly label: Context; readonly types: readonly number[] }[] =
    [];

  constructor(subject: Subject) {
    this.#subject = subject;
    this.#constraints = new ConstraintFinder(subject);
  }

  /** Adds lines to the finding with this key, or begins it. */
  #add(key: string, lines: ExplainedLines | undefined, cause: () => Cause, more?: (before: Cause) => Cause): void {
    const known = this.#found.get(key);
    if (known === undefined) this.#found.set(key, { cause: cause(), lines: lines === undefined ? [] : [lines] });
    else {
      if (more !== undefined) known.cause = more(known.cause);
      if (lines !== undefined) known.lines.push(lines);
    }
  }

  group(group: LineGroup): void {
    const { view } = this.#subject;
    const whole: ExplainedLines = { group, permissions: group.permissions };
    const tclass = view.policy.classes.byName.get(group.class);
    if (tclass === undefined) {
      this.#unknown(whole, unknownClass(group.class));
      return;
    }
    if (group.unnamedBits !== 0) {
      const name = `0x${group.unnamedBits.toString(16)}`;
      this.#unknown({ group, permissions: [name] }, unknownBits(group.class, group.unnamedBits));
    }
    const known: string[] = [];
    let bits = 0;
    for (const name of group.permissions) {
      const bit = permissionBit(this.#subject, tclass, name);
      if (bit === 0) this.#unknown({ group, permissions: [name] }, unknownPermission(group.class, name));
      else {
        known.push(name);
        bits = (bits | bit) >>> 0;
      }
    }
    if (known.length === 0) {
      if (group.permissions.length === 0 && group.unnamedBits === 0) this.withoutPermission += group.count;
      return;
    }
    const source = readLabel(this.#subject, group.source);
    const target = readLabel(this.#subject, group.target);
    if (source.kind === 'unknown' || target.kind === 'unknown') {
      const lines = { group, permissions: known };
      this.#unknownLabel(lines, group.source, source);
      // What is said of both labels is said of the lines once.
      const isSame = source.kind === 'unknown' && target.kind === 'unknown' && source.message === target.message;
      this.#unknownLabel(isSame ? undefined : lines, group.target, target);
      return;
    }
    if (group.outcome === 'granted') this.#granted(group, source.context, target.context, tclass, bits);
    else this.#denied(group, source.context, target.context, tclass, bits);
  }

  #unknown(lines: ExplainedLines, name: UnknownName): void {
    const successors = name.replacements.flatMap((one) => this.#successor(lines.group, one) ?? []);
    this.#add(
      `unknown ${name.kind}`,
      lines,
      () => ({ kind: 'unknown-name', unknown: [name], successors }),
      (before) => {
        if (before.kind !== 'unknown-name') return before;
        const isKnown = before.unknown.some((one) => one.class === name.class && one.name === name.name);
        const keyOf = (one: Successor): string => `${one.class} ${one.permission} ${one.source} ${one.target}`;
        const told = new Set(before.successors.map(keyOf));
        return {
          ...before,
          unknown: isKnown ? before.unknown : [...before.unknown, name],
          successors: [...before.successors, ...successors.filter((one) => !told.has(keyOf(one)))],
        };
      },
    );
  }

  /** What this policy says of a permission in the place of one that it does not have; undefined where it has neither. */
  #successor(group: LineGroup, { class: className, permission }: ClassPermission): Successor | undefined {
    const { view } = this.#subject;
    const tclass = view.policy.classes.byName.get(className);
    const [source, target] = [readLabel(this.#subject, group.source), readLabel(this.#subject, group.target)];
    if (tclass === undefined || source.kind === 'unknown' || target.kind === 'unknown') return undefined;
    const bit = permissionBit(this.#subject, tclass, permission);
    if (bit === 0) return undefined;
    const [from, to] = [source.context, target.context];
    const rules = rulesGiving(writtenPolicy(this.#subject), from.type, to.type, tclass.value, bit);
    return {
      class: className,
      permission,
      source: typeName(this.#subject, from.type),
      target: typeName(this.#subject, to.type),
      isAllowed: (view.computeAv(from, to, tclass.value).allowed & bit) !== 0,
      rules: rulePlaces(this.#subject, rules, tclass),
    };
  }

  #unknownLabel(lines: ExplainedLines | undefined, label: string | number, read: ReadLabel): void {
    if (read.kind !== 'unknown') return;
    const { message, suggestion, isOfOtherMls } = read;
    const text = typeof label === 'number' ? `SID ${label}` : label;
    this.#add(
      `label ${message}`,
      lines,
      () => ({ kind: 'label', labels: [text], message, suggestion, isOfOtherMls, owners: [] }),
      (before) =>
        before.kind === 'label' && !before.labels.includes(text)
          ? { ...before, labels: [...before.labels, text] }
          : before,
    );
  }

  #granted(group: LineGroup, source: Context, target: Context, tclass: ClassSymbol, bits: number): void {
    const lines: ExplainedLines = { group, permissions: permissionNames(this.#subject, tclass, bits) };
    const policy = writtenPolicy(this.#subject);
    const rules = rulesGiving(policy, source.type, target.type, tclass.value, bits, AVTAB_AUDITALLOW);
    const places = rulePlaces(this.#subject, rules, tclass);
    this.#add(
      'granted',
      lines,
      () => ({ kind: 'granted', rules: places }),
      (before) => withRules(before, places),
    );
  }

  #denied(group: LineGroup, source: Context, target: Context, tclass: ClassSymbol, bits: number): void {
    for (const verdict of verdictsOn(this.#subject, this.#constraints, source, target, tclass, bits)) {
      const permissions = permissionNames(this.#subject, tclass, verdict.bits);
      this.#verdict(verdict, { group, permissions }, source, target, tclass);
    }
  }

  #verdict(verdict: Verdict, lines: ExplainedLines, source: Context, target: Context, tclass: ClassSymbol): void {
    const subject = this.#subject;
    const places = (): RulePlace[] => ('rules' in verdict ? rulePlaces(subject, verdict.rules, tclass) : []);
    switch (verdict.kind) {
      case 'allowed':
        this.#add(
          'stale',
          lines,
          () => ({ kind: 'stale', rules: places(), invalid: this.#invalidLabels(lines) }),
          (before) => withInvalid(withRules(before, places()), this.#invalidLabels(lines)),
        );
        return;
      case 'allowed-by-boolean':
      case 'boolean':
        this.#boolean(verdict, lines, places());
        return;
      case 'constraint': {
        const { constraints } = verdict;
        const key = constraints.map(({ expression, terms }) => `${expression} ${JSON.stringify(terms)}`).join(' ');
        const rules = rulesGiving(writtenPolicy(subject), source.type, target.type, tclass.value, verdict.bits);
        const at = rulePlaces(subject, rules, tclass);
        this.#add(
          `constraint ${key}`,
          lines,
          () => ({ kind: 'constraint', constraints, rules: at }),
          (before) => withRules(before, at),
        );
        return;
      }
      case 'role':
      case 'bounds': {
        const rules = rulesGiving(writtenPolicy(subject), source.type, target.type, tclass.value, verdict.bits);
        const at = rulePlaces(subject, rules, tclass);
        const { roles } = subject.view.names;
        if (verdict.kind === 'role') {
          const [from, to] = [roles[source.role] ?? '', roles[target.role] ?? ''];
          this.#add(`role ${from} ${to}`, lines, () => ({ kind: 'role', from, to, rules: at }));
          return;
        }
        const bounded = [source.type, target.type].filter(
          (type) => (subject.view.lookup.types[type]?.bounds ?? 0) !== 0,
        );
        const types = bounded.map((type) => typeName(subject, type));
        this.#add(`bounds ${types.join()}`, lines, () => ({ kind: 'bounds', types, rules: at }));
        return;
      }
      case 'no-rule':
        this.#noRule(lines, { source, target, tclass, bits: verdict.bits }, verdict.constraints);
    }
  }

  /** The labels of lines whose parts are all known and do not go together. */
  #invalidLabels({ group }: ExplainedLines): { label: string; message: string }[] {
    return [group.source, group.target].flatMap((label) => {
      if (typeof label === 'number') return [];
      const read = this.#subject.view.parse(label);
      return 'part' in read ? [{ label, message: read.message }] : [];
    });
  }

  #boolean(
    verdict: Extract<Verdict, { kind: 'boolean' | 'allowed-by-boolean' }>,
    lines: ExplainedLines,
    rules: readonly RulePlace[],
  ): void {
    const subject = this.#subject;
    const conditions = conditionPlaces(subject, this.#constraints, verdict.rules);
    const isAllowedHere = verdict.kind === 'allowed-by-boolean';
    const key = `boolean ${isAllowedHere} ${conditions.map(({ text, isElse }) => `${text} ${isElse}`).join()}`;
    const constraints = verdict.kind === 'boolean' ? verdict.constraints : [];
    const security = initialContext(subject, 'security');
    this.#add(
      key,
      lines,
      () => ({
        kind: 'boolean',
        isAllowedHere,
        conditions,
        rules,
        setters: security === undefined ? [] : typesThatMay(subject, security, 'security', 'setbool'),
        constraints,
      }),
      (before) => withRules(before, rules),
    );
  }

  #noRule(lines: ExplainedLines, need: Need, constraints: readonly FailedConstraint[]): void {
    const subject = this.#subject;
    const { source, target } = need;
    const { group } = lines;
    const resource = unlabeledResource(subject, group, source, target);
    if (resource !== undefined && !isUnlabeled(subject, source)) {
      this.#unlabeled(resource, lines, need, []);
    } else if (isUnlabeled(subject, target) && unlabeledTarget(group) !== 'domain') {
      this.#unlabeled(unlabeledTarget(group), lines, need, []);
    } else if (isUnlabeled(subject, target)) {
      this.#unlabeled('domain', lines, need, group.targetDomains);
    } else if (isUnlabeled(subject, source)) {
      // The domain that asks for another one is named as current; who asks for itself is the source.
      this.#unlabeled('domain', lines, need, group.first.currentDomain === undefined ? group.sourceDomains : []);
    } else {
      const owners = group.class === 'event' ? this.#channelOwners(source, target) : undefined;
      if (owners === undefined) this.#needs.push({ need, lines, constraints });
      else this.#derived.push({ lines, ...owners });
    }
  }

  /** Labels of event channels that no rule made, and the types whose channels get such labels. */
  #channelOwners(source: Context, target: Context): { label: Context; types: number[] } | undefined {
    for (const label of [target, source]) {
      const types = ownersWithoutChannelType(this.#subject, label);
      if (types !== undefined) return { label, types };
    }
    return undefined;
  }

  #derivedLabel(lines: ExplainedLines, label: Context, types: readonly number[]): void {
    const subject = this.#subject;
    const text = subject.view.text(label);
    const unlabeled = initialContext(subject, 'unlabeled')?.type;
    const owners = types.map((type) => typeName(subject, type));
    const key = 'unlabeled domain';
    if (types.includes(unlabeled ?? 0) && this.#found.has(key)) {
      this.#add(
        key,
        lines,
        () => this.#unlabeledCause('domain', [], []),
        (before) =>
          before.kind === 'unlabeled' && !before.derivedLabels.includes(text)
            ? { ...before, derivedLabels: [...before.derivedLabels, text] }
            : before,
      );
      return;
    }
    const message = 'no `type_transition` rule made this label of an event channel; the type is that of the other end';
    this.#add(`channel ${text}`, lines, () => ({
      kind: 'label',
      labels: [text],
      message,
      suggestion: undefined,
      isOfOtherMls: false,
      owners,
    }));
  }

  #unlabeledCause(
    thing: Extract<Cause, { kind: 'unlabeled' }>['thing'],
    domains: readonly string[],
    needs: readonly Need[],
  ): Extract<Cause, { kind: 'unlabeled' }> {
    const subject = this.#subject;
    const standard = initialContext(subject, 'domU');
    const pairs = needs.map(({ source, target, tclass, bits }) => ({
      source: source.type,
      target: target.type,
      tclass: tclass.value,
      bits,
    }));
    return {
      kind: 'unlabeled',
      thing,
      type: typeName(
        subject,
        (thing === 'domain' ? undefined : needs[0]?.target.type) ?? initialContext(subject, 'unlabeled')?.type ?? 0,
      ),
      domains,
      defaultLabel: standard && subject.view.text(standard),
      neverallows: brokenNeverallows(subject, pairs),
      derivedLabels: [],
    };
  }

  #unlabeled(
    thing: Extract<Cause, { kind: 'unlabeled' }>['thing'],
    lines: ExplainedLines,
    need: Need,
    domains: readonly string[],
  ): void {
    this.#add(
      thing === 'domain' ? `unlabeled ${thing}` : `unlabeled ${thing} ${need.target.type}`,
      lines,
      () => this.#unlabeledCause(thing, domains, [need]),
      (before) => {
        if (before.kind !== 'unlabeled') return before;
        const more = this.#unlabeledCause(thing, domains, [need]);
        const known = new Set(
          before.neverallows.map(({ origin }) => JSON.stringify([origin.span.start, origin.span.end])),
        );
        const isNew = ({ origin }: (typeof more.neverallows)[number]): boolean =>
          !known.has(JSON.stringify([origin.span.start, origin.span.end]));
        return {
          ...before,
          domains: [...new Set([...before.domains, ...domains])],
          neverallows: [...before.neverallows, ...more.neverallows.filter(isNew)],
        };
      },
    );
  }

  operation(line: UnknownOperationLine): void {
    this.#add(
      `operation ${line.outcome} ${line.group} ${line.number}`,
      undefined,
      () => ({ kind: 'unknown-operation', line, operation: operationOf(line.group, line.number), count: 1 }),
      (before) => (before.kind === 'unknown-operation' ? { ...before, count: before.count + 1 } : before),
    );
  }

  labelLine(line: LabelLine): void {
    this.#add(
      `label event ${line.event} ${line.label}`,
      undefined,
      () => ({ kind: 'label-event', line, count: 1 }),
      (before) => (before.kind === 'label-event' ? { ...before, count: before.count + 1 } : before),
    );
  }

  /** All findings, once all lines are known: what lacks a rule is answered together. */
  finish(): Finding[] {
    const subject = this.#subject;
    for (const { lines, label, types } of this.#derived) this.#derivedLabel(lines, label, types);
    const findings: Finding[] = Array.from(this.#found.values(), (one) => ({ ...one, placement: undefined }));
    if (this.#needs.length > 0) {
      const calls = MacroCalls.of(subject);
      const byKey = new Map<string, OpenNeed[]>();
      for (const open of this.#needs) {
        const key = needKey(open.need);
        const known = byKey.get(key);
        if (known === undefined) byKey.set(key, [open]);
        else known.push(open);
      }
      const needs = this.#needs.map(({ need }) => need);
      for (const fix of chooseFixes(subject, calls, needs))
        findings.push(this.#fixFinding(fix, byKey, calls?.modules ?? []));
    }
    const firstLine = ({ cause, lines }: Finding): number =>
      lines[0]?.group.first.line ?? ('line' in cause ? cause.line.line : 0);
    return findings.toSorted((a, b) => firstLine(a) - firstLine(b));
  }

  #fixFinding(fix: ChosenFix, open: ReadonlyMap<string, readonly OpenNeed[]>, modules: readonly SourceText[]): Finding {
    const subject = this.#subject;
    const lines: ExplainedLines[] = [];
    const constraints = new Map<string, FailedConstraint>();
    for (const answered of fix.needs) {
      for (const one of open.get(needKey(answered)) ?? []) {
        const bits = (answered.bits & one.need.bits) >>> 0;
        if (bits === 0) continue;
        lines.push({ group: one.lines.group, permissions: permissionNames(subject, one.need.tclass, bits) });
        for (const failed of one.constraints)
          if ((failed.bits & bits) !== 0) constraints.set(failed.expression, failed);
      }
    }
    lines.sort((a, b) => a.group.first.line - b.group.first.line);
    const { chosen } = fix;
    const isProtective = chosen.neverallows.length > 0 || chosen.openings.some((one) => !one.isForBuilding);
    const [need] = fix.needs;
    const placement =
      subject.source === undefined || need === undefined
        ? undefined
        : placeFor(subject.source, modules, typeName(subject, need.source.type), typeName(subject, need.target.type));
    const what = { fix, constraints: [...constraints.values()] };
    const cause: Cause = isProtective ? { kind: 'protective', ...what, refuted: [] } : { kind: 'no-rule', ...what };
    return { cause, lines, placement };
  }
}

function needKey({ source, target, tclass }: Need): string {
  return `${source.type} ${target.type} ${tclass.value}`;
}

function withRules(cause: Cause, rules: readonly RulePlace[]): Cause {
  if (!('rules' in cause)) return cause;
  const keyOf = ({ text, origin }: RulePlace): string => `${text} ${origin?.span.start ?? ''}`;
  const known = new Set(cause.rules.map(keyOf));
  return { ...cause, rules: [...cause.rules, ...rules.filter((one) => !known.has(keyOf(one)))] };
}

function withInvalid(cause: Cause, more: Extract<Cause, { kind: 'stale' }>['invalid']): Cause {
  if (cause.kind !== 'stale') return cause;
  const known = new Set(cause.invalid.map(({ label }) => label));
  return { ...cause, invalid: [...cause.invalid, ...more.filter(({ label }) => !known.has(label))] };
}

/** The causes of what Xen's FLASK wrote into a log, as far as a policy tells them. */
export function explainLog({ lines }: LogReading, subject: Subject): LogExplanation {
  const explainer = new Explainer(subject);
  const groups = groupLines(lines.filter((line): line is AvcLine => line.kind === 'avc'));
  for (const group of groups.slice(0, MAX_GROUPS)) explainer.group(group);
  for (const line of lines) {
    if (line.kind === 'unknown-operation') explainer.operation(line);
    else if (line.kind === 'label') explainer.labelLine(line);
  }
  const groupsLeft = Math.max(0, groups.length - MAX_GROUPS);
  return { findings: explainer.finish(), groupsLeft, withoutPermission: explainer.withoutPermission };
}
