/**
 * What is wrong with a policy that a command was to answer by.
 *
 * @module
 */
import type { Diagnostic } from '@dewar/policy/text';
import { diagnosticJson, jsonText } from './report-json.ts';
import { print, printDiagnostics, type Terminal } from './terminal.ts';

/** Tells it in the place of the answer: as JSON where that was asked for, under the name of the policy. */
export function tellPolicyFaults(
  policy: string,
  faults: readonly Diagnostic[],
  isJson: boolean,
  terminal: Terminal,
): void {
  if (isJson) print(terminal.out, jsonText({ policy, outcome: 'failed', diagnostics: faults.map(diagnosticJson) }));
  else printDiagnostics(terminal, faults);
}
