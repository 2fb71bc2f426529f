/**
 * Our dry run of a guest, to compare with xl's.
 *
 * @module
 */
import { SourceText } from '@dewar/policy/text';
import { parseXlCfg, printDomainConfigJson, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { type DryRun, GUEST_FILE } from './xl-reference.ts';

export function ourDryRun(text: string, extraWords: readonly string[]): DryRun {
  const { xl } = readDomainConfig(parseXlCfg(new SourceText(GUEST_FILE, text), extraWords));
  const stderr = `Parsing config from ${GUEST_FILE}\n${xl.stderr}`;
  switch (xl.kind) {
    case 'made':
      return { stdout: printDomainConfigJson(xl.config), stderr, end: 0 };
    case 'exits':
      return { stdout: '', stderr, end: xl.code };
    case 'dies':
      return { stdout: '', stderr, end: xl.signal };
  }
}

/** Whether two dry runs are the same, apart from a UUID that xl took at random. */
export function isSameDryRun(ours: DryRun, theirs: DryRun): boolean {
  const stdout = ours.stdout.includes('"uuid"') ? theirs.stdout : theirs.stdout.replace(/ +"uuid": "[^"]*",\n/, '');
  return ours.stdout === stdout && ours.stderr === theirs.stderr && ours.end === theirs.end;
}
