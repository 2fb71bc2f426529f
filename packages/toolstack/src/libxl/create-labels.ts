/**
 * From the labels of a configuration to SIDs.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `libxl__domain_config_setdefault`.
 *
 * @module
 */
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import type { SidNumber } from '../hypercalls.ts';
import type { DomainConfig, LabelValue } from '../xl-cfg/index.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { logLibxl, type Operation } from './operation.ts';

/** The SIDs of a guest; without `run` there is no relabel. */
export interface GuestSids {
  readonly build: SidNumber;
  readonly run: SidNumber | undefined;
}

/** XEN: `SECINITSID_DOMU`, which libxl takes for a guest without a label. */
function defaultSid(): SidNumber {
  return xenRelease(BASELINE_RELEASE).initialSids.indexOf('domU') + 1;
}

/** Asks Xen for one label; libxl names `init_seclabel` for whatever the build label was given by. */
function resolve(operation: Operation, label: LabelValue, libxlName: string): SidNumber | undefined {
  const { recorder } = operation;
  const answer = recorder.ask('libxl', 'xsm_op.context_to_sid', { context: label.text });
  if (answer.kind === 'ok') return answer.value.sid;
  if (answer.errno === 'EACCES') operation.messages.push('XSM operation failed!');
  logLibxl(operation, 'libxl_create.c:1090:libxl__domain_config_setdefault', `Invalid ${libxlName}: ${label.text}`);
  operation.diagnostics.push(
    answer.errno === 'EACCES'
      ? guest['label-not-asked'](label.origin, { label: label.text }, { notes: refusalNotes(recorder.refusal) })
      : guest['invalid-label'](label.origin, {
          label: label.text,
          reason: answer.reason ?? 'Xen does not know it',
        }),
  );
  return undefined;
}

/** The labels as SIDs, in the order in which libxl asks; undefined when one is not valid. No domain exists yet. */
export function resolveLabels(operation: Operation, config: DomainConfig): GuestSids | undefined {
  const { build, run } = config.labels;
  const buildSid = build === undefined ? defaultSid() : resolve(operation, build, 'init_seclabel');
  if (buildSid === undefined) return undefined;
  if (run === undefined) return { build: buildSid, run: undefined };
  const runSid = resolve(operation, run, 'seclabel');
  return runSid === undefined ? undefined : { build: buildSid, run: runSid };
}
