/**
 * The answer of `dewar reach` before it is written as text or as JSON.
 *
 * @module
 */
import type { ReachAnswer } from '@dewar/policy/analysis';
import type { CompiledPolicy } from '@dewar/policy/compiler';
import type { Context, PolicyDb } from '@dewar/policy/policydb';
import type { XenReleaseName } from '@dewar/policy/releases';

/** What reports are made of. */
export interface ReachResult {
  readonly policyName: string;
  /** The Xen that is meant. */
  readonly release: XenReleaseName;
  readonly guestName: string | undefined;
  readonly answer: ReachAnswer;
  readonly build: Context;
  readonly run: Context;
  readonly dom0: Context | undefined;
  readonly domxen: Context | undefined;
  readonly device: Context | undefined;
  /** Whether something of a type is to be shown. */
  readonly shows: (context: Context) => boolean;
  /** The policy whose rules are named: the compiled one, where there is one. */
  readonly rules: PolicyDb;
  readonly compiled: CompiledPolicy | undefined;
}
