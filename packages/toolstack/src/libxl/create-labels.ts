/**
 * From the labels of a configuration to SIDs.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `libxl__domain_config_setdefault`.
 *
 * @module
 */
import { type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import type { Domid, SidNumber } from '../hypercalls.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import type { GuestConfig, GuestLabel } from './guest-config.ts';
import type { Operation } from './operation.ts';
import { logLibxl } from './said.ts';

/** The SIDs of a guest; without `run` there is no relabel. */
export interface GuestSids {
  readonly build: SidNumber;
  readonly run: SidNumber | undefined;
  /** Of the stub domain, if there is one. */
  readonly deviceModel: SidNumber;
}

/**
 * XEN: `SECINITSID_DOMU` and `SECINITSID_DOMDM`, which libxl takes for guests and stub domains without a label. 4.3 has
 * none, and its libxl leaves SID 0, which names nothing and so is unlabeled.
 */
export function defaultSid(name: 'domU' | 'domDM', release: XenReleaseName): SidNumber {
  return xenRelease(release).initialSids.indexOf(name) + 1;
}

/** How libxl calls a label, and the lines on which it warns and complains. */
const LIBXL_WORDS = {
  build: { name: 'init_seclabel', warning: 1087, error: 1090 },
  run: { name: 'seclabel', warning: 1102, error: 1105 },
  deviceModel: { name: 'device_model_stubdomain_seclabel', warning: 1117, error: 1121 },
} as const;

function placeOf(line: number): string {
  return `libxl_create.c:${line}:libxl__domain_config_setdefault`;
}

/** Asks Xen for one label; libxl names `init_seclabel` for whatever the build label was given by. */
function resolve(
  operation: Operation,
  label: GuestLabel,
  { name, warning, error }: (typeof LIBXL_WORDS)[keyof typeof LIBXL_WORDS],
): SidNumber | 'ignored' | undefined {
  const { recorder } = operation;
  const answer = recorder.ask('libxl', 'xsm_op.context_to_sid', { context: label.text });
  if (answer.kind === 'ok') return answer.value.sid;
  if (answer.errno === 'ENOSYS') {
    operation.messages.push(`libxl: warning: ${placeOf(warning)}: XSM Disabled: ${name} not supported`);
    operation.diagnostics.push(
      guest['label-ignored'](label.origin, { label: label.text, reason: 'FLASK is disabled on this host' }),
    );
    return 'ignored';
  }
  if (answer.errno === 'EACCES') operation.messages.push('XSM operation failed!');
  logLibxl(operation, placeOf(error), `Invalid ${name}: ${label.text}`);
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
export function resolveLabels(operation: Operation, config: GuestConfig): GuestSids | undefined {
  const { build, run, deviceModel } = config.labels;
  // XEN: a label that was passed over leaves the default in its place; a run label, no relabel.
  const asked = build === undefined ? 'ignored' : resolve(operation, build, LIBXL_WORDS.build);
  if (asked === undefined) return undefined;
  const ran = run === undefined ? 'ignored' : resolve(operation, run, LIBXL_WORDS.run);
  if (ran === undefined) return undefined;
  const modelled = deviceModel === undefined ? 'ignored' : resolve(operation, deviceModel, LIBXL_WORDS.deviceModel);
  if (modelled === undefined) return undefined;
  const { release } = operation.recorder.hypercalls;
  return {
    build: asked === 'ignored' ? defaultSid('domU', release) : asked,
    run: ran === 'ignored' ? undefined : ran,
    deviceModel: modelled === 'ignored' ? defaultSid('domDM', release) : modelled,
  };
}

/**
 * Says where a label has no effect because Xen has no policy yet, and whether all labels have theirs.
 * Before a policy is loaded labels are the names of initial SIDs, and any other text stands for Xen's own.
 */
export function checkLabelsInEffect(operation: Operation, config: GuestConfig, domid: Domid): boolean {
  const now = operation.recorder.hypercalls.inspectDomain(domid)?.label ?? '';
  const label = config.labels.run ?? config.labels.build;
  if (label !== undefined && now !== '' && now !== label.text && !now.includes(':')) {
    const reason = `no policy is loaded, and the guest has the initial SID \`${now}\``;
    operation.diagnostics.push(guest['label-ignored'](label.origin, { label: label.text, reason }));
  }
  return !operation.diagnostics.some(({ code }) => code === 'guest/label-ignored');
}
