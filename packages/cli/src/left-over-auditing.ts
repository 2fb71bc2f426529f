/**
 * What a command that was traced, or a test, left on the real host when Dewar was killed: a policy with auditing, which is
 * put back by whichever command comes next.
 *
 * @module
 */
import { type Settlement, settleAuditing, type XenHost } from '@dewar/xen';
import { coloursFor, printLine, safeLine, type Terminal } from './terminal.ts';

function wordsOf(settlement: Settlement): string | undefined {
  if (settlement.kind === 'nothing' || settlement.kind === 'under-way') return undefined;
  const { purpose, command } = settlement;
  const what = purpose === 'trace' ? `a trace of \`${command}\`` : `\`${command}\``;
  if (settlement.kind === 'over') return `${what} was killed; its policy with auditing is not in force any more`;
  const { end } = settlement;
  if (end.kind !== 'failed') return `${what} was killed; the policy before it was put back`;
  return `the policy with auditing of ${what} is still in force, and could not be taken away: ${end.reason}`;
}

/** Puts back what is left, and says so. A trace that is under way is let be. */
export async function settleLeftOver(
  host: XenHost,
  folder: string,
  { err }: Terminal,
  isOurs = false,
): Promise<Settlement> {
  const settlement = await settleAuditing(host, folder, isOurs);
  const words = wordsOf(settlement);
  if (words !== undefined) printLine(err, `${coloursFor(err).warning('note:')} ${safeLine(words)}`);
  return settlement;
}
