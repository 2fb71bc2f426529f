/**
 * What an answer about a policy has to say of Xen itself: what the release lets pass, whatever the policy says.
 *
 * @module
 */
import { gapsOf, type XenReleaseName } from '@dewar/policy/releases';

/** The same as data. */
export function gapsJson(release: XenReleaseName): object[] {
  return gapsOf(release).map(({ id, text, mendedIn }) => ({ id, text, mendedIn }));
}

/** One line for each gap of a release. */
export function gapLines(release: XenReleaseName): string[] {
  return gapsOf(release).map(
    ({ id, text, mendedIn }) =>
      `in Xen ${release} itself, whatever the policy says: ${text} (${id}, mended in ${mendedIn})`,
  );
}
