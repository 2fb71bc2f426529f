/**
 * Macros that people know from SELinux's reference policy, and that a policy for Xen does not have.
 *
 * @module
 */
import type { Note } from '../text/index.ts';

const DEFINING: ReadonlySet<string> = new Set(['interface', 'template']);

/** What a policy for Xen has in place of such a macro. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['interface', 'a macro is made with `define` of m4'],
  ['template', 'a macro is made with `define` of m4'],
  ['policy_module', 'a module has no heading: `modules.conf` names it'],
  ['gen_require', 'all modules are one policy, so that nothing is required'],
  ['optional_policy', 'a block that may be missing is `optional { ... }`'],
  ['gen_tunable', 'a boolean is made with `gen_bool(name, false)`'],
  ['tunable_policy', 'rules under a boolean stand in `if (name) { ... }`'],
]);

/** What is to be said of a macro of the reference policy, and whether it would define another; else undefined. */
export function dialectNote(macro: string): { readonly note: Note; readonly defines: boolean } | undefined {
  const instead = INSTEAD.get(macro);
  if (instead === undefined) return undefined;
  const message = `it belongs to SELinux's reference policy; in a policy for Xen ${instead}`;
  return { note: { message }, defines: DEFINING.has(macro) };
}
