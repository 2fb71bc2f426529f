/**
 * Policies of any size: the example policy with a fleet of domain types, or with many users; Xen's own with many users.
 *
 * @module
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLE = fileURLToPath(new URL('../policies/example/', import.meta.url));

/** Statements for type `i` of `count`; together they use the macros that a site's policy uses. */
function typeStatements(i: number, count: number): string[] {
  const name = (n: number): string => `fleet${n % count}_t`;
  const type = name(i);
  const isBuiltApart = i % 3 === 0;
  return [
    `declare_domain(${type})`,
    `domain_self_comms(${type})`,
    ...(isBuiltApart
      ? [`declare_build_label(${type})`, `create_domain_build_label(dom0_t, ${type})`]
      : [`create_domain(dom0_t, ${type})`]),
    `manage_domain(dom0_t, ${type})`,
    `domain_comms(dom0_t, ${type})`,
    ...(i % 5 === 0 ? [`migrate_domain_out(dom0_t, ${type})`] : []),
  ];
}

/** Writes the example policy with more types and users to `folder`. */
export function writeFleetPolicy(folder: string, types: number, users: number): void {
  cpSync(EXAMPLE, folder, { recursive: true });
  addFleet(folder, types, users);
}

/** Writes Xen's own example policy out of a source tree, with more types, to `folder`. */
export function writeXenFleetPolicy(folder: string, tree: string, types: number): void {
  writeXenPolicy(folder, tree, 0);
  addFleet(folder, types, 0);
}

function addFleet(folder: string, types: number, users: number): void {
  const modules = join(folder, 'modules/modules.conf');
  const lines: string[] = [];
  for (let i = 0; i < types; i++) lines.push(...typeStatements(i, types));
  for (let i = 0; i < types; i++) {
    for (const step of [1, 7, 31]) {
      if (types > step) lines.push(`domain_comms(fleet${i}_t, fleet${(i + step) % types}_t)`);
    }
  }
  for (let i = 0; i < users; i++) lines.push(`gen_user(fleet_${i},, vm_r, s0, s0)`);
  writeFileSync(join(folder, 'modules/fleet.te'), `${lines.join('\n')}\n`);
  writeFileSync(modules, readFileSync(modules, 'latin1').replace(/^all_system_role/m, 'fleet = on\n\nall_system_role'));
}

/** Writes Xen's own example policy out of a source tree to `folder`, with users made by the macro that it has for that. */
export function writeXenPolicy(folder: string, tree: string, users: number): void {
  cpSync(join(tree, 'tools/flask/policy'), folder, { recursive: true });
  if (users === 0) return;
  const role = join(folder, 'modules/vm_role.te');
  const text = readFileSync(role, 'latin1').replaceAll(/^gen_user\(user_.*\n/gm, '');
  writeFileSync(role, text.replace('# def_vm_users(0,999)', `def_vm_users(0,${users - 1})`));
}
