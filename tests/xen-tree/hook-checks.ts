/**
 * Which permission a source tree of Xen asks for at each domctl and sysctl, read from `xen/xsm/flask/hooks.c`.
 *
 * It reads what the compiler would: a permission's macro is a bit, and the class of the call says what the bit means.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { XenRelease } from '@dewar/policy/releases';

/** A class and one permission of it; undefined where the hook lets the request pass. */
export type HookCheck = string | undefined;

/** The body of a function of C, from its name to the brace in the first column. */
function functionBody(source: string, name: string): string {
  const start = source.search(new RegExp(`^static [^;]*?\\b${name} ?\\(`, 'm'));
  if (start < 0) throw new Error(`there is no function ${name}`);
  return source.slice(start, source.indexOf('\n}', start));
}

/** What the macros of a class and of a permission mean together. */
function meaning(release: XenRelease, classMacro: string, permissionMacro: string): string {
  const [owner = '', word = ''] = permissionMacro.split('__');
  const classOf = (macro: string) => release.classes.find(({ name }) => name === macro.toLowerCase());
  const bit = classOf(owner)?.permissions.indexOf(word.toLowerCase()) ?? -1;
  const asked = classOf(classMacro);
  const permission = asked?.permissions[bit];
  if (asked === undefined || permission === undefined)
    throw new Error(`${classMacro} ${permissionMacro} is not of Xen ${release.name}`);
  return `${asked.name} ${permission}`;
}

/** The check behind each `case` of a switch, by the label in lower case. */
function readSwitch(body: string, prefix: string, release: XenRelease): Map<string, HookCheck> {
  const checks = new Map<string, HookCheck>();
  let labels: string[] = [];
  // A statement ends with a semicolon; the labels before it stand for it.
  for (const statement of body.replaceAll(/\/\*[\s\S]*?\*\//g, '').split(';')) {
    for (const [, label = ''] of statement.matchAll(new RegExp(`case ${prefix}(\\w+):`, 'g'))) {
      labels.push(label.toLowerCase());
    }
    const call = /SECCLASS_(\w+),\s*(\w+__\w+)/.exec(statement);
    const onXen = /domain_has_xen\(current->domain,\s*(\w+__\w+)/.exec(statement);
    const noted = /perm = (\w+?)(__\w+)/.exec(statement);
    let check: HookCheck;
    if (call !== null) check = meaning(release, call[1] ?? '', call[2] ?? '');
    else if (onXen !== null) check = meaning(release, 'xen', onXen[1] ?? '');
    else if (noted !== null) check = meaning(release, noted[1] ?? '', `${noted[1]}${noted[2]}`);
    else if (!/return (?:0|-EILSEQ|flask_)|\? flask_/.test(statement)) continue;
    for (const label of labels) checks.set(label, check);
    labels = [];
  }
  return checks;
}

/** What FLASK of a tree asks for at the gate of each domctl, sysctl and shadow operation. */
export function hookChecks(
  tree: string,
  release: XenRelease,
): {
  readonly domctl: Map<string, HookCheck>;
  readonly sysctl: Map<string, HookCheck>;
  readonly shadow: Map<string, HookCheck>;
} {
  const source = readFileSync(join(tree, 'xen/xsm/flask/hooks.c'), 'latin1');
  return {
    domctl: readSwitch(functionBody(source, 'flask_domctl'), 'XEN_DOMCTL_', release),
    sysctl: readSwitch(functionBody(source, 'flask_sysctl'), 'XEN_SYSCTL_', release),
    // The first of the name may be but announced.
    shadow: readSwitch(
      functionBody(source.slice(source.lastIndexOf('flask_shadow_control(struct') - 40), 'flask_shadow_control'),
      'XEN_DOMCTL_SHADOW_OP_',
      release,
    ),
  };
}

/** Whether there is a source tree of Xen in a folder. */
export function hasHooks(tree: string): boolean {
  return existsSync(join(tree, 'xen/xsm/flask/hooks.c'));
}
