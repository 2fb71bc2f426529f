/**
 * Compares `dewar search` with sesearch on random questions to the `.conf` files of a folder, and to mutants of them:
 *
 *     npx tsx tests/setools/compare-searches.ts FOLDER [QUESTIONS] [SEED]
 *
 * Files with `mls` in their name are compiled with MLS; those that do not compile are left out. Questions have names that the
 * policy has, as they are or as patterns, for any of the options. Each is put to the policy as it was compiled and to its
 * bytes. Ends with 1 where an answer differs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NamePattern, RULE_KINDS, type RuleQuery, searchRules } from '@dewar/policy/analysis';
import { type CompiledPolicy, compileText } from '@dewar/policy/compiler';
import { type PolicyDb, permissionsOf, readPolicydb } from '@dewar/policy/policydb';
import { SourceText } from '@dewar/policy/text';
import { Random } from '@dewar/testkit';
import { askSesearch, sesearch } from './sesearch.ts';

const [folder, questions = '100', seed = '1'] = process.argv.slice(2);
if (folder === undefined || sesearch === undefined) {
  console.error(
    folder === undefined ? 'usage: compare-searches.ts FOLDER [QUESTIONS] [SEED]' : 'sesearch is not installed',
  );
  process.exit(2);
}
const random = new Random(Number(seed));

interface Compiled {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly written: PolicyDb;
  readonly read: PolicyDb;
}

function compiledOf(name: string, text: string): Compiled | undefined {
  const made: CompiledPolicy = compileText(new SourceText(name, text), { version: 30, isMls: name.includes('mls') });
  const read = made.bytes === undefined ? undefined : readPolicydb(made.bytes);
  if (made.bytes === undefined || made.policy === undefined || read === undefined || 'diagnostic' in read)
    return undefined;
  return { name, bytes: made.bytes, written: made.policy, read: read.policy };
}

const policies = readdirSync(folder)
  .filter((name) => name.endsWith('.conf'))
  .sort()
  .flatMap((name) => compiledOf(name, readFileSync(join(folder, name), 'latin1')) ?? []);

/** A name of a list as it is, or a pattern that it matches. */
function patternOf(names: readonly string[]): NamePattern {
  const name = random.pick(names);
  const isDirect = random.once(3);
  if (!random.once(3)) return { text: name, isDirect };
  const start = random.below(name.length);
  const piece = name.slice(start, start + 1 + random.below(4)).replaceAll('.', '\\.');
  return { text: random.once(3) ? `^${name.slice(0, 2)}` : piece, isRegex: true, isDirect };
}

function randomQuery(policy: PolicyDb): RuleQuery {
  const names = (table: { readonly entries: readonly { readonly name: string }[] }): string[] =>
    table.entries.map(({ name }) => name);
  // To sesearch an attribute without types is no condition at all (differences.md).
  const types = policy.types.entries
    .filter(({ kind, value }) => kind !== 'attribute' || policy.typeSets.members(value).length > 0)
    .map(({ name }) => name);
  const kinds = RULE_KINDS.filter((kind) => kind !== 'neverallow' && random.once(3));
  const tclass = random.pick(policy.classes.entries);
  const permissions = permissionsOf(policy, tclass).map(({ name }) => name);
  const isClassPattern = random.once(3);
  return {
    kinds: kinds.length === 0 ? ['allow'] : kinds,
    ...(random.once(2) ? { source: patternOf(types) } : {}),
    ...(random.once(2) ? { target: patternOf(types) } : {}),
    ...(random.once(3)
      ? { classes: [{ text: isClassPattern ? tclass.name.slice(0, 3) : tclass.name, isRegex: isClassPattern }] }
      : {}),
    ...(random.once(4) && permissions.length > 0
      ? {
          permissions: [random.pick(permissions), random.pick(permissions)],
          permissionMatch: random.pick(['any', 'equal', 'subset'] as const),
        }
      : {}),
    ...(random.once(6) ? { result: patternOf(types) } : {}),
    ...(random.once(6) && policy.booleans.entries.length > 0
      ? { booleans: [{ text: random.pick(names(policy.booleans)) }], isBooleansEqual: random.once(2) }
      : {}),
  };
}

const totals = { questions: 0, lines: 0, unanswered: 0, refused: 0, different: 0 };
for (let i = 0; i < Number(questions); i++) {
  const policy = random.pick(policies);
  const query = randomQuery(policy.read);
  totals.questions++;
  let theirs: string[] | undefined;
  try {
    theirs = askSesearch(sesearch, policy.bytes, query);
  } catch (error) {
    // A name that the question's kind of rule does not take.
    totals.refused++;
    if (!(error instanceof Error)) throw error;
    continue;
  }
  if (theirs === undefined) {
    totals.unanswered++;
    continue;
  }
  totals.lines += theirs.length;
  for (const db of [policy.written, policy.read]) {
    const ours = searchRules(db, query)
      .rules.map(({ text }) => text)
      .sort();
    if (JSON.stringify(ours) === JSON.stringify(theirs)) continue;
    totals.different++;
    console.log(`${policy.name}, ${db === policy.read ? 'bytes' : 'as written'}: ${JSON.stringify(query)}`);
    const [a, b] = [new Set(theirs), new Set(ours)];
    for (const line of theirs.filter((one) => !b.has(one)).slice(0, 3)) console.log(`  sesearch alone: ${line}`);
    for (const line of ours.filter((one) => !a.has(one)).slice(0, 3)) console.log(`  dewar alone: ${line}`);
  }
}
console.log(JSON.stringify(totals));
process.exitCode = totals.different > 0 ? 1 : 0;
