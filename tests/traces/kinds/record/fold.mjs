// SPDX-License-Identifier: Apache-2.0
//
// Makes golden files of what Xen's console showed while on-host.sh ran.
//   node fold.mjs CONSOLE ../golden [SUFFIX]
import { readFileSync, writeFileSync } from 'node:fs';

const [, , input, folder, suffix = ''] = process.argv;
const line =
  /avc: {2}granted {2}\{ ([^}]*) \} for (.*?)scontext=[^:]*:[^:]*:(\S+) tcontext=[^:]*:[^:]*:(\S+) tclass=(\w+)/;

const header = (command) => `# Checks that Xen 4.17.5 (FLASK enforcing, PV dom0) made for: ${command}
# In order; equal neighbours are written once. Per line: class, permissions, source type, target type.
# Not audited: domain { destroy }, event { send }, mmu { pageinfo }, dom0's own memory, and of PV guests
# mmu { map_read map_write mmuext_op updatemp }. Left out: event { status }, which xenconsoled makes at its own pace, and
# dom0's accesses to the configuration space of devices.
`;

const sideHeader = (
  side,
) => `# Of a migration from the host to itself, the ${side}: what arrives has labels of its own, and here are the lines
# with those of this side. domain { getdomaininfo } is left out, for each side looks at the domains of both. Two lines
# that take turns, as the filling of memory does, are written once.
`;

/** Two lines that take turns, once. */
function withoutTurns(all) {
  const kept = [];
  for (const one of all) {
    if (one === kept.at(-2) && kept.length > 2 && kept.at(-1) === kept.at(-3)) kept.pop();
    else if (one !== kept.at(-1)) kept.push(one);
  }
  return kept;
}

/** The lines of one side of a migration. */
function sideOf(all, own) {
  return withoutTurns(all.filter((one) => own.test(one) && !one.startsWith('domain { getdomaininfo }')));
}

const SIDES = [
  ['sender', / guest_t/],
  ['receiver', / moved_t/],
];

/** What is left out, as the header says. */
function isLeftOut({ tclass, permissions, source, data }) {
  if (tclass === 'event' && permissions === 'status') return true;
  return tclass === 'resource' && source === 'dom0_t' && data.includes('device=') && /^(use_|setup)/.test(permissions);
}

let name;
let command = '';
let lines = [];
for (const text of readFileSync(input, 'latin1').split(/\r*\n/)) {
  const [, heading] = /=== ([a-z0-9-]+)$/.exec(text) ?? [];
  if (heading === 'end') {
    const write = (file, notes, text) =>
      writeFileSync(`${folder}/${file}${suffix}.txt`, `${header(command)}${notes}${text.join('\n')}\n`);
    if (!name.endsWith('-migrate')) write(name, '', lines);
    else for (const [side, own] of SIDES) write(`${name}-${side}`, sideHeader(side), sideOf(lines, own));
    name = undefined;
  } else if (heading !== undefined) {
    name = heading;
    command = heading.replaceAll('-', ' ');
    lines = [];
  }
  const found = line.exec(text);
  if (name === undefined || found === null) continue;
  const [, granted, data, source, target, tclass] = found;
  const permissions = granted.trim();
  if (isLeftOut({ tclass, permissions, source, data })) continue;
  const check = `${tclass} { ${permissions} } ${source} ${target}`;
  if (lines.at(-1) !== check) lines.push(check);
}
