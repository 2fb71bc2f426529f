// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * Loads a binary policy once, before V8 has compiled anything of what that takes, and prints wall and processor time in
 * nanoseconds. `decisions.ts` starts it, each time in a process of its own.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { readPolicydb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';

const bytes = new Uint8Array(readFileSync(process.argv[2] ?? ''));
const cpu = process.cpuUsage();
const start = process.hrtime.bigint();
const found = readPolicydb(bytes);
if ('diagnostic' in found) throw new Error(found.diagnostic.message);
const view = new PolicyView(found.policy);
// What decisions look in is made when it is first needed: many decisions need it.
const twice = view.rules.duplicates.length;
const wall = process.hrtime.bigint() - start;
const { user, system } = process.cpuUsage(cpu);
console.log(String(wall), (user + system) * 1000, view.domainClass + twice);
