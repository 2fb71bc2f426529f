/**
 * SIDs: the numbers under which Xen knows contexts.
 *
 * Follows: Xen `xen/xsm/flask/ss/sidtab.c`.
 *
 * @module
 */
import type { Context, MlsLevel } from '../policydb/index.ts';

declare const brand: unique symbol;

/** The number of a context on one host. */
export type Sid = number & { readonly [brand]: 'Sid' };

/** The SID with this number. */
export function sidOf(number: number): Sid {
  // Brand constructor: any number is a SID to Xen; one that names nothing is unlabeled.
  return number as Sid;
}

function levelKey({ sensitivity, categories }: MlsLevel): string {
  return `${sensitivity}.${categories.bits.join()}`;
}

function contextKey({ user, role, type, range }: Context): string {
  return `${user}:${role}:${type}:${levelKey(range.low)}:${levelKey(range.high)}`;
}

const BUCKET_MASK = 127;

/** Where Xen's walk of the table comes to a SID. */
function rank(sid: number): number {
  return (sid & BUCKET_MASK) * 0x100000000 + sid;
}

/** Contexts by SID. Numbers go up and are never given out twice. */
export class SidTable {
  readonly #contexts = new Map<number, Context>();
  readonly #byKey = new Map<string, number>();
  /** The next number to give out. */
  next = 1;

  get(sid: number): Context | undefined {
    return this.#contexts.get(sid);
  }

  /** The SIDs in use with their contexts, as Xen walks its table: bucket after bucket, each ascending. */
  get entries(): (readonly [sid: number, context: Context])[] {
    return [...this.#contexts].sort(([a], [b]) => rank(a) - rank(b));
  }

  /** Puts a context under a number of the caller's. */
  insert(sid: number, context: Context): void {
    this.#contexts.set(sid, context);
    this.next = Math.max(this.next, sid + 1);
    const key = contextKey(context);
    const known = this.#byKey.get(key);
    // XEN: sidtab_search_context() walks the table and takes the first match.
    if (known === undefined || rank(sid) < rank(known)) this.#byKey.set(key, sid);
  }

  /** The SID of a context, a new one if it has none yet. */
  sidFor(context: Context): Sid {
    const key = contextKey(context);
    const known = this.#byKey.get(key);
    if (known !== undefined) return sidOf(known);
    const sid = this.next;
    this.insert(sid, context);
    return sidOf(sid);
  }
}
