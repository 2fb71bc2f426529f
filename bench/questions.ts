// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * How long questions about a policy take, whole command against whole command, beside the program of SETools that comes
 * nearest, in the same run:
 *
 *     npx tsx bench/questions.ts [TYPES...]
 *
 * For the example policy with as many more domain types as each argument says (500 where there is none), and for Xen's own
 * with as many, where `DEWAR_XEN_TREE` names a source tree of Xen. SETools reads binaries only: from sources it has
 * `m4 | checkpolicy` before it. Dewar is asked three times: about the binary, about the sources for the first time, and about
 * the sources again. Prints the median CPU seconds of each, how many times faster Dewar is, and its largest memory.
 *
 * Nothing in SETools asks what `reach` asks. seinfoflow comes nearest: information from one type to another, by what a map of
 * permissions says. It is asked in each of its ways and with two maps: one of the few permissions by which memory is mapped
 * and messages go, and one of all that stand in `MEMORY_WAYS`. What it takes depends on the policy: a rule about two
 * attributes is an edge for each pair of their types.
 *
 * @module
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MEMORY_WAYS } from '@dewar/policy/analysis';
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import { writeFleetPolicy, writeXenFleetPolicy } from './fleet-policy.ts';
import { type Cost, DEWAR, measure, median, referenceCompilation } from './measure.ts';

const ROUNDS = 5;

type Flow = 'r' | 'w' | 'b';

/** What information flows by a permission, as SETools' maps say it: those of Xen have none. */
const FLOWS: ReadonlyMap<string, Flow> = new Map([
  ['mmu map_read', 'r'],
  ['mmu map_write', 'w'],
  ['grant map_read', 'r'],
  ['grant map_write', 'w'],
  ['grant copy', 'b'],
  ['grant transfer', 'b'],
  ['event send', 'w'],
  ['argo send', 'w'],
]);

/** The same for each permission that a way to memory needs: both ways where it is one to a power. */
function wayFlows(): ReadonlyMap<string, Flow> {
  const flows = new Map<string, Flow>();
  for (const { checks, gives } of MEMORY_WAYS) {
    const access = gives.kind === 'memory' || gives.kind === 'host' ? gives.access : 'read and write';
    const flow: Flow = access === 'read' ? 'r' : access === 'write' ? 'w' : 'b';
    for (const { class: tclass, permissions } of checks) {
      for (const permission of permissions) {
        const key = `${tclass} ${permission}`;
        flows.set(key, (flows.get(key) ?? flow) === flow ? flow : 'b');
      }
    }
  }
  return flows;
}

function permissionMap(flows: ReadonlyMap<string, Flow>): string {
  const { classes } = xenRelease(BASELINE_RELEASE);
  const blocks = classes.map(({ name, permissions }) => {
    const lines = permissions.map((one) => `${one} ${flows.get(`${name} ${one}`) ?? 'n'} 10\n`);
    return `class ${name} ${permissions.length}\n${lines.join('')}`;
  });
  return `${classes.length}\n${blocks.join('')}`;
}

/** A question, to the program of SETools and to Dewar. */
interface Question {
  readonly name: string;
  readonly theirs: string;
  /** With the policy in the place of `POLICY`. */
  readonly ours: string;
  /** Statuses that are an answer. */
  readonly statuses: readonly number[];
  readonly theirRounds: number;
}

const LINE =
  '(XEN) avc:  denied  { vm_event } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=system_u:system_r:fleet1_t tclass=domain2';

/** All that sediff compares but initial SIDs, at whose names in a policy for Xen it gives up. */
const SECTIONS =
  '--common --class --bool --role --type --attribute --user --category --sensitivity --level --role_allow --role_trans --range_trans --constrain --mlsconstrain --validatetrans --mlsvalidatetrans --typebounds --property --allow --auditallow --dontaudit --type_trans --type_change --type_member';

/** The ways in which seinfoflow can be asked. */
function reachQuestions(ours: string): Question[] {
  const ways = { 'shortest paths': '-t dom0_t -S', 'two steps': '-t dom0_t -A 2', 'all from it': '' };
  return Object.entries({ few: 'few.map', 'all ways': 'ways.map' }).flatMap(([map, file]) =>
    Object.entries(ways).map(([way, options]) => ({
      name: `reach: ${way}, ${map}`,
      theirs: `seinfoflow -p theirs.bin -m ${file} -s domU_t ${options}`,
      ours,
      statuses: [0, 1],
      theirRounds: 1,
    })),
  );
}

/** What is asked of Xen's own policy with a fleet. */
const XEN_QUESTIONS: readonly Question[] = reachQuestions('reach --policy POLICY -l system_u:system_r:domU_t');

/** What is asked of the example policy with a fleet. */
const QUESTIONS: readonly Question[] = [
  {
    name: 'search',
    theirs: 'sesearch -A -s dom0_t -t fleet5_t theirs.bin',
    ours: 'search POLICY -A -s dom0_t -t fleet5_t',
    statuses: [0],
    theirRounds: 3,
  },
  {
    name: 'explain, a lock',
    theirs: 'sesearch -A -s dom0_t -t prot_domU_t -c domain -p create theirs.bin',
    ours: 'explain --policy POLICY locked.log',
    statuses: [0, 1],
    theirRounds: 3,
  },
  {
    name: 'explain, no rule',
    theirs: 'sesearch -A -s dom0_t -t fleet1_t -c domain2 -p vm_event theirs.bin',
    ours: 'explain --policy POLICY denied.log',
    statuses: [0, 1],
    theirRounds: 3,
  },
  ...reachQuestions('reach --policy POLICY -l customer_1:vm_r:nomigrate_t -b customer_1:vm_r:nomigrate_t_building'),
  {
    name: 'diff',
    theirs: `sediff ${SECTIONS} theirs.bin others.bin`,
    ours: 'diff POLICY other.bin',
    statuses: [0, 1],
    theirRounds: 1,
  },
];

const times = (theirs: number, { cpu }: Cost): string => `${cpu.toFixed(2)} (${(theirs / cpu).toFixed(0)}×)`.padEnd(13);

/** Dewar's answers, which do not depend on how SETools was asked, by the question. */
type Answers = readonly [binary: Cost, first: Cost, again: Cost];

function compare(name: string, write: (policy: string) => void, questions: readonly Question[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
  try {
    write(join(folder, 'policy'));
    // The same with one macro call less.
    cpSync(join(folder, 'policy'), join(folder, 'other'), { recursive: true });
    const module = join(folder, 'other/modules/fleet.te');
    writeFileSync(module, readFileSync(module, 'latin1').replace('domain_self_comms(fleet5_t)\n', ''));
    writeFileSync(join(folder, 'few.map'), permissionMap(FLOWS));
    writeFileSync(join(folder, 'ways.map'), permissionMap(wayFlows()));
    // To prove what a policy states is another question.
    rmSync(join(folder, 'policy/policy.prove'), { force: true });
    writeFileSync(join(folder, 'denied.log'), `${LINE}\n`);
    const locked = LINE.replace('vm_event', 'create').replace('fleet1_t', 'prot_domU_t').replace('domain2', 'domain');
    writeFileSync(join(folder, 'locked.log'), `${locked}\n`);
    measure(referenceCompilation(join(folder, 'other')), folder);
    cpSync(join(folder, 'theirs.bin'), join(folder, 'others.bin'));
    measure(`${DEWAR} compile -q -o other.bin other`, folder);
    const compilation = median(() => measure(referenceCompilation(join(folder, 'policy')), folder), 3);
    measure(`${DEWAR} compile -q -o policy.bin policy`, folder);
    console.log(`${name}; m4 | checkpolicy takes ${compilation.cpu.toFixed(2)} s`);
    const known = new Map<string, Answers>();
    for (const { name, theirs, ours, statuses, theirRounds } of questions) {
      const reference = median(() => measure(theirs, folder), theirRounds);
      const ask = (policy: string, prefix: string): Cost =>
        median(
          () =>
            measure(
              `${prefix} DEWAR_STATE_DIR=state DEWAR_CACHE=cache ${DEWAR} ${ours.replace('POLICY', policy)}`,
              folder,
              statuses,
            ),
          ROUNDS,
        );
      const [binary, first, again] = known.get(ours) ?? [
        ask('policy.bin', ''),
        ask('policy', 'rm -rf cache;'),
        ask('policy', ''),
      ];
      known.set(ours, [binary, first, again]);
      const whole = reference.cpu + compilation.cpu;
      const cells = [
        name.padEnd(NAME_WIDTH),
        `${reference.cpu.toFixed(2)} s`.padEnd(8),
        times(reference.cpu, binary),
        times(whole, first),
        times(whole, again),
        `${Math.max(binary.megabytes, first.megabytes, again.megabytes).toFixed(0)} / ${reference.megabytes.toFixed(0)} MiB`,
      ];
      console.log(cells.join('  '));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NAME_WIDTH = 31;
const asked = process.argv.slice(2).map(Number);
const tree = process.env['DEWAR_XEN_TREE'];
const heads = [
  'question'.padEnd(NAME_WIDTH),
  'SETools'.padEnd(8),
  'binary'.padEnd(13),
  'first time'.padEnd(13),
  'again'.padEnd(13),
];
console.log(`${heads.join('  ')}  memory (ours / theirs)`);
for (const types of asked.length === 0 ? [500] : asked) {
  compare(`example, ${types} types`, (policy) => writeFleetPolicy(policy, types, 0), QUESTIONS);
  if (tree === undefined) continue;
  compare(`Xen's, ${types} types`, (policy) => writeXenFleetPolicy(policy, tree, types), XEN_QUESTIONS);
}
