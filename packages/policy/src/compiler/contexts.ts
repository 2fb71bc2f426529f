/**
 * Contexts of initial SIDs and of devices.
 *
 * A context is checked as checkpolicy checks it: role attributes count for nothing yet.
 * SPEC: checkpolicy `policy_define.c` (`parse_security_context`, `define_*_context`); libsepol `context.c`.
 *
 * @module
 */
import { type ContextNode, numberValue, type Statement, type Token } from '../language/index.ts';
import type {
  Context,
  InitialSidContext,
  NumberContext,
  PathContext,
  RangeContext,
  TypeSets,
} from '../policydb/index.ts';
import type { RoleDeclaration } from './declarations.ts';
import { label, mls, policy } from './diagnostics.ts';
import { checkRange, dominates, mlsRange, readRange } from './mls.ts';
import { outerTypes } from './roles.ts';
import type { Scope } from './scope.ts';

type DeviceStatement = Extract<Statement, { kind: 'pirqcon' | 'pcidevicecon' | 'iomemcon' | 'ioportcon' }>;

interface PlacedRange extends RangeContext {
  readonly token: Token;
}

const WHAT = { pirqcon: 'interrupt', pcidevicecon: 'PCI device', iomemcon: 'frames', ioportcon: 'ports' } as const;

function rangeText(low: bigint, high: bigint): string {
  return low === high ? `0x${low.toString(16)}` : `0x${low.toString(16)}-0x${high.toString(16)}`;
}

/** Collects contexts. */
export class ContextCompiler {
  readonly #scope: Scope;
  readonly #sets: TypeSets;
  readonly #typesOfRole = new Map<RoleDeclaration, ReadonlySet<number>>();
  readonly #sids = new Map<string, Context>();
  readonly #numbers = { pirqcon: new Map<number, NumberContext>(), pcidevicecon: new Map<number, NumberContext>() };
  readonly #places = new Map<string, Token>();
  #hasUnknownSid = false;
  readonly #ranges: Record<'iomemcon' | 'ioportcon', PlacedRange[]> = { iomemcon: [], ioportcon: [] };
  readonly #paths = new Map<string, PathContext & { token: Token }>();

  constructor(scope: Scope, sets: TypeSets) {
    this.#scope = scope;
    this.#sets = sets;
  }

  /** Numbers of a context, whether it is valid or not; undefined where a name is unknown. */
  #context(node: ContextNode): Context | undefined {
    const scope = this.#scope;
    const user = scope.user(node.user);
    const role = scope.role(node.role);
    const type = scope.plainType(node.type, 'context');
    const range = node.range === undefined || !scope.isMls ? undefined : readRange(scope, node.range);
    if (!scope.isMls && node.range !== undefined)
      scope.report(mls['unexpected-range'](scope.origin(node.range.low.sensitivity), {}));
    if (scope.isMls && node.range === undefined)
      scope.report(mls['no-range'](scope.origin(node.type), { what: 'range' }));
    if (user === undefined || role === undefined || type === undefined) return undefined;
    const isObject = role === scope.declared.objectRole;
    // What a statement with a fault gives a user or a role is not known.
    if (!isObject && !user.outer.roles.has(role) && !scope.isDoubtful(user.name)) {
      scope.report(
        label['role-of-user'](
          scope.origin(node.role),
          { user: user.name, role: role.name },
          scope.earlier(user.token, `the roles of \`${user.name}\` are given here`),
        ),
      );
    }
    if (!isObject && !this.#types(role).has(type.value) && !scope.isDoubtful(role.name)) {
      scope.report(
        label['type-of-role'](
          scope.origin(node.type),
          { role: role.name, type: type.name },
          { notes: [{ message: `\`role ${role.name} types ${type.name};\` would allow it` }] },
        ),
      );
    }
    if (!scope.isMls || range === undefined || node.range === undefined) {
      return { user: user.value, role: role.value, type: type.value, range: mlsRange(undefined, undefined) };
    }
    const { low, high } = range;
    const { low: userLow, high: userHigh } = user.outer;
    if (checkRange(scope, node.range, range) && !isObject && userLow !== undefined && userHigh !== undefined) {
      // A level without a place in the dominance was reported.
      const isPlaced = userLow.sensitivity > 0 && userHigh.sensitivity > 0;
      if (isPlaced && (!dominates(low, userLow) || !dominates(userHigh, high))) {
        const at = scope.origin(node.range.low.sensitivity);
        scope.report(label['range-of-user'](at, { user: user.name }));
      }
    }
    return { user: user.value, role: role.value, type: type.value, range: mlsRange(low, high) };
  }

  #types(role: RoleDeclaration): ReadonlySet<number> {
    let types = this.#typesOfRole.get(role);
    if (types === undefined) {
      types = new Set(outerTypes(role, this.#sets));
      this.#typesOfRole.set(role, types);
    }
    return types;
  }

  addSid(node: Extract<Statement, { kind: 'sid-context' }>): void {
    const scope = this.#scope;
    const context = this.#context(node.context);
    const name = scope.word(node.name);
    if (!scope.declared.sids.has(name)) {
      this.#hasUnknownSid = true;
      const hints = scope.suggest(node.name, scope.declared.sids.keys(), scope.advice?.ofInitialSid(name));
      scope.report(policy['unknown-sid'](scope.origin(node.name), { name }, hints));
    } else if (this.#sids.has(name)) {
      const first = this.#places.get(`sid ${name}`);
      if (!scope.isMisplaced(first) && !scope.isMisplaced(node.name))
        scope.report(label['sid-twice'](scope.origin(node.name), { name }, this.#earlier(first)));
    } else if (context !== undefined) this.#sids.set(name, context);
    this.#places.set(`sid ${name}`, node.name);
  }

  #value(token: Token): bigint {
    return numberValue(this.#scope.word(token));
  }

  #earlier(token: Token | undefined): { notes: { message: string; origin: ReturnType<Scope['origin']> }[] } {
    return {
      notes: token === undefined ? [] : [{ message: 'the earlier label is here', origin: this.#scope.origin(token) }],
    };
  }

  addDevice(node: DeviceStatement): void {
    const scope = this.#scope;
    const context = this.#context(node.context);
    const low = this.#value(node.low);
    const what = WHAT[node.kind];
    if (node.kind === 'pirqcon' || node.kind === 'pcidevicecon') {
      const number = Number(low);
      const key = `${node.kind} ${number}`;
      if (this.#places.has(key)) {
        const shown = node.kind === 'pirqcon' ? String(number) : `0x${number.toString(16)}`;
        scope.report(
          label.duplicate(scope.origin(node.low), { what, number: shown }, this.#earlier(this.#places.get(key))),
        );
      } else if (context !== undefined) this.#numbers[node.kind].set(number, { number, context });
      this.#places.set(key, node.low);
      return;
    }
    const high = node.high === undefined ? low : this.#value(node.high);
    if (low > high) {
      scope.report(
        label['range-backwards'](scope.origin(node.low), {
          what,
          range: `0x${low.toString(16)}-0x${high.toString(16)}`,
        }),
      );
      return;
    }
    const ranges = this.#ranges[node.kind];
    const other = ranges.find((range) => low <= range.high && range.low <= high);
    if (other !== undefined) {
      const texts = { what, range: rangeText(low, high), other: rangeText(other.low, other.high) };
      scope.report(label.overlap(scope.origin(node.low), texts, this.#earlier(other.token)));
    } else if (context !== undefined) ranges.push({ low, high, context, token: node.low });
  }

  addPath(node: Extract<Statement, { kind: 'devicetreecon' }>): void {
    const scope = this.#scope;
    const context = this.#context(node.context);
    const path = scope.word(node.path);
    const old = this.#paths.get(path);
    if (old !== undefined) {
      scope.report(
        label.duplicate(scope.origin(node.path), { what: 'device tree node', number: path }, this.#earlier(old.token)),
      );
    } else if (context !== undefined) this.#paths.set(path, { path, context, token: node.path });
  }

  /** Initial SIDs, the one declared last first; those without a context are left out. */
  initialSids(): InitialSidContext[] {
    return [...this.#scope.declared.sids.values()].reverse().flatMap(({ name, value, token }) => {
      const context = this.#sids.get(name);
      if (context !== undefined) return { sid: value, context };
      // Where a statement about the SID failed, or may have been lost, that was reported already.
      if (!this.#places.has(`sid ${name}`) && this.#scope.tree.isWhole && !this.#hasUnknownSid)
        this.#scope.report(label['sid-without'](this.#scope.origin(token), { name }));
      return [];
    });
  }

  numbers(kind: 'pirqcon' | 'pcidevicecon'): NumberContext[] {
    return [...this.#numbers[kind].values()];
  }

  ranges(kind: 'iomemcon' | 'ioportcon'): RangeContext[] {
    return this.#ranges[kind].map(({ low, high, context }) => ({ low, high, context }));
  }

  paths(): PathContext[] {
    return [...this.#paths.values()].map(({ path, context }) => ({ path, context }));
  }

  /** Where the label of a range of frames was written. */
  iomemToken(low: bigint): Token | undefined {
    return this.#ranges.iomemcon.find((range) => range.low === low)?.token;
  }

  pathTokens(): { readonly path: string; readonly token: Token }[] {
    return [...this.#paths.values()];
  }
}
