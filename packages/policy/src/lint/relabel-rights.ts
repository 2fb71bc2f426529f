/**
 * Rights to relabel that no relabel can use: wider than what the policy means, or half of what it means.
 *
 * @module
 */
import { ruleOrigin } from '../compiler/index.ts';
import { permissionBit, writtenPolicy } from '../explain/index.ts';
import { AVTAB_ALLOWED } from '../policydb/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import { type Rights, ruleTables } from './rights.ts';

const PERMISSIONS = ['relabelfrom', 'relabelto', 'relabelself'] as const;

/** Whether one type's right to relabel another is part of a relabel. */
function isPart(rights: Rights, permission: (typeof PERMISSIONS)[number], actor: number, type: number): boolean {
  if (permission === 'relabelself') return rights.may(actor, type, 'domain', 'transition');
  const transitions = rights.relation('domain', 'transition');
  if (permission === 'relabelfrom') {
    const news = rights.targets(actor, 'domain2', 'relabelto');
    return [...(transitions.get(type) ?? [])].some((next) => news.has(next));
  }
  return [...rights.targets(actor, 'domain2', 'relabelfrom')].some((old) => transitions.get(old)?.has(type) === true);
}

/** Statements with a right to relabel of which no pair of types has a use. */
export function lintRelabelRights(rights: Rights, report: Report): void {
  const { subject } = rights;
  const policy = writtenPolicy(subject);
  const symbol = policy.classes.byName.get('domain2');
  if (symbol === undefined) return;
  /** By statement and permission, whether some pair has a use. */
  const uses = new Map<
    string,
    { readonly statement: number; readonly permission: string; isUsed: boolean; pair: string }
  >();
  for (const permission of PERMISSIONS) {
    const bit = permissionBit(subject, symbol, permission);
    for (const table of ruleTables(policy)) {
      for (let row = 0; row < table.length; row++) {
        if (table.tclass[row] !== symbol.value || ((table.kind[row] ?? 0) & AVTAB_ALLOWED) === 0) continue;
        if (((table.data[row] ?? 0) & bit) === 0) continue;
        const sources = [...policy.typeSets.members(table.source[row] ?? 0)];
        const targets = [...policy.typeSets.members(table.target[row] ?? 0)];
        const pairs = sources.flatMap((source) =>
          (table.self[row] === 1 ? [...targets, source] : targets).map((target) => [source, target] as const),
        );
        const statement = table.statement[row] ?? 0;
        const key = `${statement} ${permission}`;
        const [first] = pairs;
        const known = uses.get(key) ?? {
          statement,
          permission,
          isUsed: false,
          pair: first === undefined ? '' : `${rights.name(first[0])} ${rights.name(first[1])}`,
        };
        uses.set(key, known);
        known.isUsed ||= pairs.some(([source, target]) => isPart(rights, permission, source, target));
      }
    }
  }
  for (const { statement, permission, isUsed, pair } of uses.values()) {
    if (isUsed) continue;
    const { source } = subject;
    const notes = [{ message: `no \`transition\` goes with \`allow ${pair}:domain2 ${permission}\`` }];
    report(
      lint['relabel-unused'](
        source && ruleOrigin(source.compiled, statement),
        { permission: `domain2 ${permission}` },
        { notes },
      ),
    );
  }
}
