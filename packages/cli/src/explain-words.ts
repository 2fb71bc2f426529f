/**
 * The causes of denials in words: a heading, sentences, and what can be done.
 *
 * Start reading at `describeFinding`.
 *
 * @module
 */
import type {
  ChosenFix,
  ConditionPlace,
  FailedConstraint,
  Finding,
  LineGroup,
  Opening,
  PairBits,
  Proposal,
  RulePlace,
  Successor,
  UnknownName,
} from '@dewar/policy/explain';
import { releasesText } from '@dewar/policy/releases';
import { type Origin, placeText, userSpan } from '@dewar/policy/text';

/** What a finding comes to, in lines of text. */
export interface Described {
  readonly title: string;
  /** Sentences about the cause. */
  readonly because: readonly string[];
  /** What can be done, if anything. */
  readonly remedy: readonly string[];
}

/** Names of what findings hold as numbers. */
export interface Namer {
  type(value: number): string;
  class(value: number): string;
  permissions(tclass: number, bits: number): string[];
}

const SHOWN = 12;
const RULES_SHOWN = 8;

function list(names: readonly string[], limit: number = SHOWN): string {
  if (names.length <= limit) return names.join(', ');
  return `${names.slice(0, limit).join(', ')} and ${names.length - limit} more`;
}

const quoted = (text: string): string => `\`${text}\``;

function at(origin: Origin | undefined): string {
  return origin === undefined ? '' : ` (${placeText(userSpan(origin))})`;
}

/** A rule as one finds it: the statement that a person wrote, and where; and the place in the macro, where it came of one. */
function ruleText({ text, origin }: RulePlace): string {
  const inner = origin?.kind === 'expanded' ? `, the rule at ${placeText(origin.span)}` : '';
  return `${quoted(text)}${at(origin)}${inner}`;
}

/** A sentence, and the rules that it is about below it. */
function withRules(sentence: string, rules: readonly RulePlace[]): string[] {
  const [only, ...more] = rules;
  if (only === undefined) return [sentence];
  if (more.length === 0) return [`${sentence}: ${ruleText(only)}`];
  const shown = rules.slice(0, RULES_SHOWN).map((one) => `  ${ruleText(one)}`);
  const left = rules.length - shown.length;
  return [`${sentence}:`, ...shown, ...(left > 0 ? [`  and ${left} more`] : [])];
}

function termsText({ terms, isAnyEnough, expression, origin }: FailedConstraint): string[] {
  const failing = terms.map(({ text, values }) => {
    const named = values.map(({ name, value }) => `${name} is ${quoted(value)}`).join(' and ');
    return `${quoted(text)} fails: ${named}`;
  });
  const enough = terms.length > 1 && isAnyEnough ? '; one of these terms would be enough' : '';
  const which = failing.length === 0 ? 'the expression is malformed, so it holds for nobody' : failing.join('; ');
  return [`constraint ${quoted(expression)}${at(origin)}: ${which}${enough}`];
}

/** Permissions between two types, one clause for each class. */
export function pairsText(pairs: readonly PairBits[], namer: Namer): string[] {
  const byPair = new Map<string, string[]>();
  for (const { source, target, tclass, bits } of pairs) {
    const key = `${namer.type(source)} -> ${namer.type(target)}`;
    const words = `${namer.class(tclass)} { ${namer.permissions(tclass, bits).join(' ')} }`;
    byPair.set(key, [...(byPair.get(key) ?? []), words]);
  }
  return Array.from(byPair, ([pair, words]) => `${pair}: ${words.join(', ')}`);
}

function openingText({ gives, does, source, target, condition, isWhole }: Opening, namer: Namer): string {
  const [actor, guest] = [quoted(namer.type(source.type)), quoted(namer.type(target.type))];
  const given = condition === undefined ? '' : ` (${condition})`;
  const part = isWhole ? '' : '; this gives a part of what that takes';
  if (gives.kind !== 'memory') return `a domain of ${actor} then ${does}${given}${part}`;
  return `it opens ${guest} to ${actor}, which then ${does}${given}${part}`;
}

function proposalText({ kind, lines }: Proposal): string {
  return kind === 'macro' ? `the macro call ${quoted(lines[0] ?? '')}` : lines.map(quoted).join(' and ');
}

/** Who builds a guest writes its memory. */
function buildingText({ openings }: Proposal, namer: Namer): string[] {
  const built = openings.find(({ isForBuilding }) => isForBuilding);
  if (built === undefined) return [];
  const [builder, guest] = [namer.type(built.source.type), namer.type(built.target.type)];
  return [`with it ${quoted(builder)} builds domains of ${quoted(guest)}, and so reads and writes their memory`];
}

/** How many permissions there are, over all pairs. */
function countOf(pairs: readonly PairBits[], namer: Namer): number {
  return pairs.reduce((sum, { tclass, bits }) => sum + namer.permissions(tclass, bits).length, 0);
}

function fixText({ chosen, least, wider }: ChosenFix, namer: Namer): string[] {
  const beside = pairsText(chosen.surplus, namer);
  return [
    `${proposalText(chosen)} would give it${beside.length === 0 ? ', and nothing else that is new' : ''}`,
    ...(beside.length === 0 ? [] : [`beside, that gives ${list(beside, 6)}`]),
    ...buildingText(chosen, namer),
    ...(least === undefined ? [] : [`the least that would do: ${proposalText(least)}`]),
    ...(wider === undefined
      ? []
      : [
          `${proposalText(wider)} would do too, with ${countOf(wider.surplus, namer)} permissions more: ` +
            list(pairsText(wider.surplus, namer), 6),
        ]),
  ];
}

function conditionText({ text, isElse, origin, booleans, changes }: ConditionPlace, isInForce: boolean): string {
  const branch = isElse ? `the \`else\` of ${quoted(text)}` : quoted(text);
  const values = booleans.map(({ name, value }) => `${quoted(name)} is ${value}`).join(' and ');
  const other = changes.map(({ name, value }) => `${quoted(name)} ${value}`).join(' or with ');
  const change =
    changes.length === 0 ? 'no single boolean changes that' : `with ${other} it ${isInForce ? 'would not' : 'would'}`;
  return `it stands in ${branch}${at(origin)}: here ${values}, so it ${isInForce ? 'holds' : 'does not hold'}; ${change}`;
}

function unknownText({
  kind,
  class: name,
  name: what,
  releases,
  replacements,
  why,
  namesByRelease,
}: UnknownName): string[] {
  const where =
    releases.length === 0
      ? 'no release of Xen that is known here has it'
      : `Xen ${releasesText(releases)} ${releases.length === 1 ? 'has' : 'have'} it`;
  const instead = replacements.map((one) => quoted(`${one.class} ${one.permission}`));
  const moved = instead.length === 0 ? [] : [`other releases ask for ${list(instead)}: ${why ?? 'it moved'}`];
  if (kind === 'class') return [`the policy has no class ${quoted(what)}; ${where}`];
  if (kind === 'permission')
    return [`class ${quoted(name)} has no permission ${quoted(what)} in the policy; ${where}`, ...moved];
  const named = namesByRelease.length === 0 ? where : `there ${list(namesByRelease)}`;
  return [`the Xen that wrote the line has no name for the bit ${quoted(what)} of class ${quoted(name)}: ${named}`];
}

function successorText({ class: name, permission, source, target, isAllowed, rules }: Successor): string[] {
  const what = `here ${quoted(source)} -> ${quoted(target)}: ${name} { ${permission} } is ${isAllowed ? 'allowed' : 'denied'}`;
  return isAllowed ? withRules(what, rules) : [what];
}

const OTHER_TABLES =
  'no rule for it can be written into this policy: it belongs to another release of Xen. Build the policy with the tables of the Xen that runs, and see `dewar compat`';

/** A domain as Xen names it. */
export function domainText(name: string): string {
  return `d${name}`;
}

function unlabeledText(
  cause: Extract<Finding['cause'], { kind: 'unlabeled' }>,
  groups: readonly LineGroup[],
): Described {
  const { thing, type, domains, defaultLabel, neverallows, derivedLabels } = cause;
  const details = [...new Set(groups.flatMap((group) => group.details))];
  if (thing === 'port') {
    return {
      title: 'an event channel without a label',
      because: [
        `the port has the label ${quoted(type)}: it is bound to no other domain (a virtual or a physical interrupt)`,
      ],
      remedy: ['no rule is proposed: such ports are not for a domain to send on or to ask about'],
    };
  }
  if (thing !== 'domain') {
    const one = details.length === 0 ? 'the resource' : list(details, 4);
    return {
      title: `${thing === 'irq' ? 'an interrupt' : 'a device'} without a label of its own`,
      because: [`${one} has the label that Xen gives to what nobody labelled, ${quoted(type)}`],
      remedy: [
        `give it a type of its own, in \`policy/device_contexts\` or with \`flask-label-pci\`, and let domains use that type (macro \`use_device_iommu\` and its like); a rule on ${quoted(type)} would be one for every unlabelled resource`,
      ],
    };
  }
  const named = domains.length === 0 ? 'the domain' : list(domains.map(domainText));
  const isAtBoot = groups.some(({ first }) => first.currentDomain === '[IDLE]');
  return {
    title: `${domains.length > 1 ? 'domains' : 'a domain'} without a label`,
    because: [
      `${named} ${domains.length > 1 ? 'have' : 'has'} the label of what nobody labelled, ${quoted(type)}: the toolstack gave none that the policy knows`,
      ...derivedLabels.map(
        (label) =>
          `${quoted(label)} follows from it: no \`type_transition\` rule labels the event channels of ${quoted(type)}, so they get the type of the other end`,
      ),
    ],
    remedy: [
      `give the guest a label: \`seclabel\` in its xl.cfg${defaultLabel === undefined ? '' : ` (xl gives ${quoted(defaultLabel)} to one that names none)`}; another toolstack must pass its SID when it creates the domain`,
      ...(isAtBoot
        ? ['one that Xen itself builds at boot (dom0less) has no `seclabel`, and Xen leaves it without a label']
        : []),
      `no rule on ${quoted(type)} is proposed: it would hold for whatever has no label${neverallows.length === 0 ? '' : `, and break ${list(neverallows.map(({ origin }) => `the \`neverallow\`${at(origin)}`))}`}`,
    ],
  };
}

/** What a fix would end. */
function protectionTitle(
  { openings, neverallows }: Proposal,
  needs: ChosenFix['needs'],
  namer: Namer,
  isStated: boolean,
): string {
  const ofMemory = openings.filter(({ gives, isForBuilding }) => gives.kind === 'memory' && !isForBuilding);
  // What was denied comes before what a macro opens beside.
  const isAsked = ({ source, target }: Opening): boolean =>
    needs.some((need) => need.source.type === source.type && need.target.type === target.type);
  const memory = ofMemory.find(isAsked) ?? ofMemory[0];
  if (memory !== undefined)
    return `a protection: ${quoted(namer.type(memory.source.type))} is kept out of the memory of ${quoted(namer.type(memory.target.type))}`;
  if (openings.length > 0) return 'a protection of the host';
  if (neverallows.length > 0) return 'a protection: a `neverallow` rule';
  return isStated ? 'a protection: a stated property of the policy' : 'a protection';
}

const UNSEEN_SETTERS = 'no type may set booleans; a policy that sets it otherwise must be loaded';

/** What a finding comes to. */
export function describeFinding(finding: Finding, namer: Namer, policyName: string): Described {
  const described = describeCause(finding, namer, policyName);
  const { cause } = finding;
  const isTakenBack =
    (cause.kind === 'no-rule' || cause.kind === 'protective') &&
    cause.fix.needs.some(
      ({ tclass, bits }) => tclass.name === 'resource' && namer.permissions(tclass.value, bits).includes('remove_irq'),
    );
  return isTakenBack ? { ...described, because: [...described.because, TAKEN_BACK] } : described;
}

/** XEN: `unmap_domain_pirq` of a domain that is dying asks nothing since 4.15.3, 4.16.2 and 4.17.0 (commit 2e6f95a942). */
const TAKEN_BACK =
  'a Xen before 4.15.3, 4.16.2 or 4.17.0 asks for `remove_irq` in the name of whichever domain happens to run when another one is ' +
  'destroyed: if that is so here, the source has nothing to do with the device, and what helps is a newer Xen, not a rule';

function describeCause({ cause, lines }: Finding, namer: Namer, policyName: string): Described {
  switch (cause.kind) {
    case 'no-rule':
      return {
        title: 'no rule',
        because: [
          `nothing in ${policyName} gives it`,
          ...cause.constraints.flatMap((one) => termsText(one).map((text) => `a rule alone would not do: ${text}`)),
        ],
        remedy: fixText(cause.fix, namer),
      };
    case 'protective': {
      const { openings, neverallows } = cause.fix.chosen;
      const broken = [
        ...neverallows.map(({ origin }) => `it breaks the \`neverallow\`${at(origin)}`),
        ...cause.refuted.map(({ text, place }) => `it refutes the property \`${text}\` (${place})`),
      ];
      return {
        title: protectionTitle(cause.fix.chosen, cause.fix.needs, namer, cause.refuted.length > 0),
        because: [
          `nothing in ${policyName} gives it, and what would give it ends a protection`,
          ...openings.filter(({ isForBuilding }) => !isForBuilding).map((one) => openingText(one, namer)),
          ...broken,
          ...cause.constraints.flatMap((one) => termsText(one).map((text) => `a rule alone would not do: ${text}`)),
        ],
        remedy: [
          ...fixText(cause.fix, namer),
          '`--fix` leaves this to you: write it only if that protection is not wanted',
        ],
      };
    }
    case 'constraint':
      return {
        title: 'a constraint',
        because: [...withRules('a rule gives it', cause.rules), ...cause.constraints.flatMap(termsText)],
        remedy: ['no `allow` rule helps: change the label that fails the term, or the constraint'],
      };
    case 'role':
      return {
        title: 'a change of role',
        because: [
          ...withRules('a rule gives `domain transition`', cause.rules),
          `role ${quoted(cause.from)} may not become role ${quoted(cause.to)}`,
        ],
        remedy: [`use a label with the same role, or write \`allow ${cause.from} ${cause.to};\` beside the roles`],
      };
    case 'bounds':
      return {
        title: 'the bounds of a type',
        because: [
          ...withRules('a rule gives it', cause.rules),
          `the type that bounds ${list(cause.types.map(quoted))} may not do it`,
        ],
        remedy: ['let the bounding type do it too, or change `typebounds`'],
      };
    case 'boolean':
      return describeBoolean(cause);
    case 'unlabeled':
      return unlabeledText(
        cause,
        lines.map(({ group }) => group),
      );
    case 'label':
      return {
        title:
          cause.labels.length > 1 ? 'labels that are not what they should be' : 'a label that is not what it should be',
        because: [
          `${list(cause.labels.map(quoted))}: ${cause.message}`,
          ...(cause.owners.length === 0 ? [] : [`event channels of ${list(cause.owners.map(quoted))} get such labels`]),
        ],
        remedy: [
          cause.suggestion !== undefined
            ? `did you mean ${quoted(cause.suggestion)}?`
            : cause.owners.length > 0
              ? 'declare the type that owns the channel with `declare_domain`, which labels its channels, or label the domain otherwise'
              : `the log is of another policy, or the label was given under one: explain it with the policy of that host (\`--policy\`${cause.isOfOtherMls ? '; with `--mls` a policy directory is compiled with MLS, without it without' : ''})`,
        ],
      };
    case 'unknown-name': {
      const isBits = cause.unknown.every(({ kind }) => kind === 'bits');
      return {
        title: isBits ? 'a bit without a name' : 'a name that this policy does not have',
        because: [
          ...new Set(cause.unknown.slice(0, SHOWN).flatMap(unknownText)),
          ...(cause.unknown.length > SHOWN ? [`and ${cause.unknown.length - SHOWN} more names`] : []),
          ...cause.successors.slice(0, SHOWN).flatMap(successorText),
        ],
        remedy: [
          cause.successors.length > 0 && cause.successors.every(({ isAllowed }) => isAllowed)
            ? 'the Xen that wrote it needs a policy with its own tables; for the release that this policy is of nothing is to be added: what that asks for instead is allowed'
            : OTHER_TABLES,
        ],
      };
    }
    case 'unknown-operation':
      return describeOperation(cause);
    case 'label-event': {
      const { event, label } = cause.line;
      const words = {
        invalidated: 'the policy that was loaded does not know it, and what had it is now unlabeled',
        invalid: 'the policy that was loaded does not take it as valid; permissive, Xen kept it',
        'computed-invalid': 'the label that the policy computes for something new is not valid, so the operation fails',
      };
      return {
        title: 'a label that the policy does not take',
        because: [`${quoted(label)}: ${words[event]}`],
        remedy: ['let the role have the type and the user have the role, or load a policy that has them'],
      };
    }
    case 'stale':
      return {
        title: 'the log is of another policy',
        because: [
          ...withRules(`${policyName} allows it`, cause.rules),
          ...cause.invalid.map(
            ({ label, message }) => `but nothing can have the label ${quoted(label)} under it: ${message}`,
          ),
        ],
        remedy: [
          'nothing is to be added; load this policy on that host, or explain the log with the policy that runs there',
        ],
      };
    case 'granted':
      return {
        title: 'granted',
        because:
          cause.rules.length === 0
            ? ['the policy of that host asks for the line; this one does not']
            : withRules('the line was asked for', cause.rules),
        remedy: [],
      };
  }
}

function describeBoolean(cause: Extract<Finding['cause'], { kind: 'boolean' }>): Described {
  const { isAllowedHere, conditions, rules, setters, constraints } = cause;
  const first = isAllowedHere
    ? 'the rule for it holds only while booleans are as here, so on that host they are otherwise, or the log is of another policy'
    : 'the rule for it is there, and booleans keep it out of force';
  const names = [...new Set(conditions.flatMap(({ changes }) => changes.map(({ name }) => name)))];
  const wanted = conditions.flatMap(({ changes }) =>
    changes.map(({ name, value }) => `${name} ${(isAllowedHere ? !value : value) ? 1 : 0}`),
  );
  return {
    title: `a boolean${names.length === 1 ? `: ${names[0]}` : ''}`,
    because: [
      ...withRules(first, rules),
      ...conditions.map((one) => conditionText(one, isAllowedHere)),
      ...constraints.flatMap((one) => termsText(one).map((text) => `the boolean alone would not do: ${text}`)),
    ],
    remedy: [
      wanted.length === 0
        ? 'see with `flask-get-bool` how the booleans stand'
        : `on that host: ${list(wanted.map((one) => quoted(`flask-set-bool ${one}`)))}, if that is wanted; no new rule is needed`,
      setters.length === 0 ? UNSEEN_SETTERS : `booleans may be set by ${list(setters.map(quoted))}`,
    ],
  };
}

function describeOperation({
  line,
  operation: { names, unchecked },
}: Extract<Finding['cause'], { kind: 'unknown-operation' }>): Described {
  const { group, number, outcome } = line;
  const name =
    names.length === 0 ? 'an operation that is not known here' : names.map(quoted).join(' or, in newer releases, ');
  const known =
    names.length === 0
      ? []
      : unchecked === undefined
        ? [
            'every point release of Xen that has it checks it: that host runs a state between releases, or one with patches of its own',
          ]
        : [`these releases of Xen have it and do not check it: ${unchecked}`];
  return {
    title: 'an operation that FLASK has no check for',
    because: [
      `${group} ${number} is ${name}; it is no avc, and no \`allow\` rule is asked`,
      ...(outcome === 'denied'
        ? []
        : ['Xen let it pass: it is permissive, or the policy says so of what it does not know']),
      ...known,
    ],
    remedy:
      outcome === 'denied'
        ? [
            'only a Xen that checks it helps, or a policy compiled with `--handle-unknown allow`, which lets all such operations pass',
          ]
        : ['enforcing, and without `--handle-unknown allow`, it would be denied'],
  };
}
