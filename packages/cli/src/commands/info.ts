/**
 * `dewar info`: what is in a policy.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import type { PolicyInfo } from '@dewar/policy/decompiler';
import type { XenReleaseName } from '@dewar/policy/releases';
import { EXIT } from '../failures.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { readBinary, readPolicy } from '../policy-input.ts';
import { jsonText } from '../report-json.ts';
import { coloursFor, print, printLine, safeLine, type Terminal } from '../terminal.ts';

export interface InfoFlags {
  /** Names and statements too, not only how many there are. */
  readonly isWhole: boolean;
  readonly isJson: boolean;
  readonly release: XenReleaseName | undefined;
  readonly compile: CompileOptions;
}

export async function runInfo(policy: string | undefined, flags: InfoFlags, terminal: Terminal): Promise<number> {
  const { policyInfo } = await import('@dewar/policy/decompiler');
  const reading = await readPolicy(policy, flags.compile);
  const { name, binary, diagnostics } = reading;
  const read = await readBinary(reading);
  if (binary === undefined || read === undefined || 'diagnostic' in read) {
    const found = read !== undefined && 'diagnostic' in read ? [read.diagnostic] : diagnostics;
    tellPolicyFaults(name, found, flags.isJson, terminal);
    return EXIT.problem;
  }
  const info = policyInfo(read.policy, read.version, flags.release);
  if (flags.isJson) print(terminal.out, jsonText({ policy: name, outcome: 'done', size: binary.length, ...info }));
  else printInfo(name, binary.length, info, flags.isWhole, terminal);
  return EXIT.done;
}

/** How many there are of each thing, in two columns. */
function countLines(info: PolicyInfo): string[] {
  const permissions = info.classes.reduce((sum, one) => sum + one.permissions.length, 0);
  const counts: [string, number][] = [
    ['classes', info.classes.length],
    ['permissions', permissions],
    ['types', info.types.length],
    ['attributes', info.attributes.length],
    ['roles', info.roles.length],
    ['users', info.users.length],
    ['booleans', info.booleans.length],
    ['conditional blocks', info.conditionals.length],
    ['sensitivities', info.sensitivities.length],
    ['categories', info.categories.length],
    ['permissive types', info.types.filter(({ isPermissive }) => isPermissive).length],
    ['policy capabilities', info.capabilities.length],
    ['initial SIDs', info.initialSids.length],
    ['labels of devices', info.devices.length],
    ...Object.entries(info.counts),
  ];
  const half = Math.ceil(counts.length / 2);
  const cell = ([what, count]: [string, number]): string => `${what.padEnd(20)} ${String(count).padStart(8)}`;
  return counts.slice(0, half).map((left, i) => {
    const right = counts[half + i];
    return `  ${cell(left)}${right === undefined ? '' : `    ${cell(right)}`}`;
  });
}

function printInfo(name: string, size: number, info: PolicyInfo, isWhole: boolean, { out }: Terminal): void {
  const colours = coloursFor(out);
  const { release } = info;
  const mls = info.isMls ? 'with MLS' : 'without MLS';
  printLine(out, `${colours.strong(name)}: ${size} bytes`);
  printLine(out, `  policy version ${info.version}, ${mls}, handle-unknown ${info.handleUnknown}`);
  printLine(out, `  ${release.isExact ? 'classes of Xen' : 'classes most like those of Xen'} ${release.name}`);
  for (const line of countLines(info)) printLine(out, line);
  const list = (title: string, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    printLine(out);
    printLine(out, colours.strong(title));
    for (const line of lines.flatMap((text) => text.split('\n'))) printLine(out, `  ${safeLine(line)}`);
  };
  list(
    'initial SIDs',
    info.initialSids.map(
      ({ sid, name: label, context }) => `${String(sid).padStart(2)} ${label.padEnd(12)} ${context}`,
    ),
  );
  list(
    'booleans',
    info.booleans.map(({ name: label, state }) => `${label} ${state}`),
  );
  if (!isWhole) return;
  const braces = (names: readonly string[]): string => (names.length === 0 ? '' : ` { ${names.join(' ')} }`);
  list(
    'classes',
    info.classes.map(({ name: label, permissions }) => `${label}${braces(permissions)}`),
  );
  list(
    'types',
    info.types.map(({ name: label, aliases, attributes, bounds, isPermissive }) =>
      [
        label,
        aliases.length === 0 ? '' : ` alias${braces(aliases)}`,
        attributes.map((one) => `, ${one}`).join(''),
        bounds === undefined ? '' : ` (bounded by ${bounds})`,
        isPermissive ? ' (permissive)' : '',
      ].join(''),
    ),
  );
  list(
    'attributes',
    info.attributes.map(({ name: label, types }) => `${label}${braces(types)}`),
  );
  list(
    'roles',
    info.roles.map(({ name: label, types }) => `${label}${braces(types)}`),
  );
  list(
    'users',
    info.users.map(({ name: label, roles, level, range }) =>
      [label, ' roles', braces(roles), level === undefined ? '' : ` level ${level} range ${range ?? ''}`].join(''),
    ),
  );
  list(
    'conditional blocks',
    info.conditionals.map(({ condition, state, rules }) => `if (${condition}) is ${state}; ${rules} rules`),
  );
  list('constraints', info.constraints);
  list('defaults', info.defaults);
  list('sensitivities', info.sensitivities);
  list('policy capabilities', info.capabilities);
  list('labels of devices', info.devices);
}
