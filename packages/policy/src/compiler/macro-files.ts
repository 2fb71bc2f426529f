/**
 * The files in which a policy directory has the macros that every policy uses. Where such a file is missing, that is one
 * fault, and not as many as there are calls.
 *
 * Names: Xen 4.3 to master, `tools/flask/policy` (`modules/xen.if` and `policy/support`).
 * Start reading at `gatherMissingFiles`.
 *
 * @module
 */
import type { Diagnostic } from '../text/index.ts';
import { source as messages } from './diagnostics.ts';

/** Files of macros that a policy directory lacks, as they are shown to the user; undefined for one that is there. */
export interface MissingMacroFiles {
  /** The interfaces of module `xen`. */
  readonly interfaces: string | undefined;
  /** The file for users, labels and booleans. */
  readonly support: string | undefined;
  /** The file for levels. */
  readonly levels: string | undefined;
}

const FILES: Readonly<Record<keyof MissingMacroFiles, ReadonlySet<string>>> = {
  interfaces: new Set([
    'admin_device',
    'create_channel',
    'create_domain',
    'create_domain_build_label',
    'create_domain_common',
    'declare_build_label',
    'declare_domain',
    'declare_domain_common',
    'declare_singleton_domain',
    'delegate_devices',
    'device_model',
    'domain_comms',
    'domain_event_comms',
    'domain_self_comms',
    'make_device_model',
    'manage_domain',
    'migrate_domain_in',
    'migrate_domain_out',
    'use_device',
    'use_device_iommu',
    'use_device_iommu_nointremap',
    'use_device_noiommu',
    'xen_build_domain',
  ]),
  support: new Set(['gen_all_users', 'gen_bool', 'gen_context', 'gen_user']),
  levels: new Set(['decl_cats', 'decl_levels', 'decl_sens', 'gen_cats', 'gen_dominance', 'gen_levels', 'gen_sens']),
};

const KINDS = ['support', 'levels', 'interfaces'] as const;

/** How many macros a note names. */
const NAMED = 3;

/** The macro that a report calls unknown; undefined for a report of something else, or where more is known of the macro. */
function unknownMacro({ code, message, notes }: Diagnostic): string | undefined {
  const isBare =
    code === 'language/unknown-macro' && notes.every(({ message: note }) => note.startsWith('it is used at'));
  return isBare ? /`([^`]*)`/.exec(message)?.[1] : undefined;
}

function missingFile(path: string, unknown: readonly Diagnostic[]): Diagnostic {
  const macros = [...new Set(unknown.flatMap((one) => unknownMacro(one) ?? []))];
  const [first = '', ...others] = macros;
  const named = others.slice(0, NAMED).map((macro) => `\`${macro}\``);
  const left = others.length - named.length;
  const more = `${named.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
  const message = `it defines \`${first}\`, which is called here${others.length === 0 ? '' : `, and further on ${more}`}`;
  return messages['no-file'](unknown[0]?.origin, { path }, { notes: [{ message }] });
}

/** Joins what is said of macros whose file is missing into one report for each file. */
export function gatherMissingFiles(
  diagnostics: readonly Diagnostic[],
  missing: MissingMacroFiles,
): readonly Diagnostic[] {
  const fileOf = (one: Diagnostic): string | undefined => {
    const macro = unknownMacro(one);
    const kind = macro === undefined ? undefined : KINDS.find((file) => FILES[file].has(macro));
    return kind === undefined ? undefined : missing[kind];
  };
  const said = new Set<string>();
  return diagnostics.flatMap((one) => {
    const path = fileOf(one);
    if (path === undefined) return [one];
    if (said.has(path)) return [];
    said.add(path);
    return [
      missingFile(
        path,
        diagnostics.filter((other) => fileOf(other) === path),
      ),
    ];
  });
}
