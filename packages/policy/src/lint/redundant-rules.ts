/**
 * Rules that a person wrote and that give nothing, because others give all of it.
 *
 * A rule is covered where for each of its rows others, each of which is about all of the row's types, together name its
 * permissions. Rules of macros are not looked at: that calls overlap is what macros are for.
 *
 * @module
 */
import { type CompiledPolicy, ruleOrigin } from '../compiler/index.ts';
import { quoteStatement, type Subject, statementSpan } from '../explain/index.ts';
import { AVRULE_DONTAUDIT, AVTAB_ALLOWED, AVTAB_AUDITALLOW, type PolicyDb, type RuleTable } from '../policydb/index.ts';
import type { Fix, Origin, Report, Span } from '../text/index.ts';
import { lint } from './diagnostics.ts';

const KINDS: ReadonlySet<number> = new Set([AVTAB_ALLOWED, AVTAB_AUDITALLOW, AVRULE_DONTAUDIT]);

interface Row {
  readonly statement: number;
  /** Which branch of which block; empty outside of them. */
  readonly block: string;
  readonly source: number;
  readonly target: number;
  readonly isSelf: boolean;
  readonly data: number;
}

/** The rows of a policy by kind and class. */
function rowsOf(policy: PolicyDb): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  const add = (table: RuleTable, block: string): void => {
    for (let row = 0; row < table.length; row++) {
      const kind = table.kind[row] ?? 0;
      if (!KINDS.has(kind)) continue;
      const key = `${kind} ${table.tclass[row]}`;
      const list = found.get(key) ?? [];
      found.set(key, list);
      list.push({
        statement: table.statement[row] ?? 0,
        block,
        source: table.source[row] ?? 0,
        target: table.target[row] ?? 0,
        isSelf: table.self[row] === 1,
        data: table.data[row] ?? 0,
      });
    }
  };
  add(policy.rules, '');
  policy.conditionals.forEach(({ whenTrue, whenFalse }, i) => {
    add(whenTrue, `${i} true`);
    add(whenFalse, `${i} false`);
  });
  return found;
}

/** Whether one sorted list has all of another. */
function hasAll(all: Uint32Array, some: Uint32Array): boolean {
  let i = 0;
  for (const one of some) {
    while (i < all.length && (all[i] ?? 0) < one) i++;
    if (all[i] !== one) return false;
  }
  return true;
}

class Coverage {
  readonly #policy: PolicyDb;
  readonly #rows: ReadonlyMap<string, readonly Row[]>;
  readonly #gone = new Set<number>();

  constructor(policy: PolicyDb) {
    this.#policy = policy;
    this.#rows = rowsOf(policy);
  }

  /** The statements, last ones first, so that of two that say the same the first one stays. */
  statements(): number[] {
    const all = [...this.#rows.values()].flatMap((rows) => rows.map(({ statement }) => statement));
    return [...new Set(all)].sort((a, b) => b - a);
  }

  /** The statements that cover one, which is then counted as gone; undefined where something is left of it. */
  coverOf(statement: number): { readonly statements: ReadonlySet<number>; readonly isSame: boolean } | undefined {
    const covering = new Set<number>();
    let isSame = true;
    let rows = 0;
    for (const list of this.#rows.values()) {
      for (const row of list) {
        if (row.statement !== statement) continue;
        rows++;
        let left = row.data;
        for (const other of list) {
          if (left === 0) break;
          if (other.statement === statement || (other.data & left) === 0 || !this.#covers(other, row)) continue;
          left = (left & ~other.data) >>> 0;
          covering.add(other.statement);
          isSame &&= other.source === row.source && other.target === row.target && other.block === row.block;
        }
        if (left !== 0) return undefined;
      }
    }
    if (rows === 0) return undefined;
    this.#gone.add(statement);
    return { statements: covering, isSame };
  }

  #covers(other: Row, row: Row): boolean {
    if (this.#gone.has(other.statement) || (other.block !== '' && other.block !== row.block)) return false;
    const { typeSets } = this.#policy;
    const sources = typeSets.members(row.source);
    if (!hasAll(typeSets.members(other.source), sources)) return false;
    const targets = typeSets.members(other.target);
    if (!hasAll(targets, typeSets.members(row.target))) return false;
    return !row.isSelf || other.isSelf || hasAll(targets, sources);
  }
}

/** Takes a statement out, with its line where nothing else is on it. */
function removal(span: Span): Fix {
  const { text } = span.source;
  const lineStart = text.lastIndexOf('\n', span.start - 1) + 1;
  const newline = text.indexOf('\n', span.end);
  const lineEnd = newline < 0 ? text.length : newline + 1;
  const isAlone = text.slice(lineStart, span.start).trim() === '' && text.slice(span.end, lineEnd).trim() === '';
  const [start, end] = isAlone ? [lineStart, lineEnd] : [span.start, span.end];
  return { title: 'remove it', edits: [{ span: { source: span.source, start, end }, newText: '' }] };
}

function written(compiled: CompiledPolicy, statement: number): Origin | undefined {
  const origin = ruleOrigin(compiled, statement);
  return origin.kind === 'written' ? origin : undefined;
}

/** Rules without an effect of their own. Of a binary, which has each entry once, none is found. */
export function lintRedundantRules({ source }: Subject, report: Report): void {
  const policy = source?.compiled.policy;
  if (source === undefined || policy === undefined) return;
  const coverage = new Coverage(policy);
  for (const statement of coverage.statements()) {
    const origin = written(source.compiled, statement);
    const cover = origin && coverage.coverOf(statement);
    if (origin === undefined || cover === undefined) continue;
    const notes = [...cover.statements]
      .sort((a, b) => a - b)
      .slice(0, 4)
      .map((one) => {
        const place = ruleOrigin(source.compiled, one);
        return { message: `here: \`${quoteStatement(place.span)}\``, origin: place };
      });
    const make = lint[cover.isSame ? 'duplicate-rule' : 'shadowed-rule'];
    report(make(origin, {}, { notes, fixes: [removal(statementSpan(origin.span))] }));
  }
}
