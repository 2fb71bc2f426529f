/**
 * The policy that a log is explained by, and how its parts are found and named.
 *
 * @module
 */
import type { CompiledPolicy, CompileOptions, PolicyFiles } from '../compiler/index.ts';
import {
  type ClassSymbol,
  type Context,
  permissionNames as namesOfBits,
  type PolicyDb,
  permissionsOf,
} from '../policydb/index.ts';
import type { XenRelease } from '../releases/index.ts';
import type { PolicyView } from '../security-server/index.ts';

/** Where a policy's text can be read, and changed. */
export interface PolicySource {
  readonly compiled: CompiledPolicy;
  readonly options: CompileOptions;
  /** The directory; undefined where the policy is one expanded text. */
  readonly files: PolicyFiles | undefined;
}

/** What a log is explained by. */
export interface Subject {
  /** The policy as Xen has it, with the values of its booleans. */
  readonly view: PolicyView;
  readonly release: XenRelease;
  /** Undefined where the policy is a binary: there is no line to point at. */
  readonly source: PolicySource | undefined;
  /** Whether the booleans have the values of a host, and not those of a fresh boot. */
  readonly hasHostBooleans: boolean;
}

/** The policy whose rules know their lines, where there is one. */
export function writtenPolicy({ view, source }: Subject): PolicyDb {
  return source?.compiled.policy ?? view.policy;
}

/** The name of a type; its number where it has none. */
export function typeName({ view }: Subject, value: number): string {
  return view.names.types[value] ?? String(value);
}

/** The bit of a permission of a class; 0 where the class has no such permission. */
export function permissionBit({ view }: Subject, tclass: ClassSymbol, name: string): number {
  const found = permissionsOf(view.policy, tclass).findLast((one) => one.name === name);
  return found === undefined ? 0 : (1 << (found.value - 1)) >>> 0;
}

/** The names of bits of a class, in the order of the bits. */
export function permissionNames({ view }: Subject, tclass: ClassSymbol, bits: number): string[] {
  return namesOfBits(view.policy, tclass, bits);
}

/** The context of an initial SID; undefined where the release or the policy has none. */
export function initialContext({ view, release }: Subject, name: string): Context | undefined {
  const sid = release.initialSids.indexOf(name) + 1;
  if (sid === 0) return undefined;
  return view.policy.objectContexts.initialSids.find((one) => one.sid === sid)?.context;
}
