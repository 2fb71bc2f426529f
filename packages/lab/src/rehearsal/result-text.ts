/**
 * What came otherwise than it must, in lines.
 *
 * @module
 */
import type { Mismatch } from './expectations.ts';
import type { StepPlace } from './run-scenario.ts';

/** `FILE:LINE:COLUMN`. */
export function stepPlaceText({ file, line, column }: StepPlace): string {
  return `${file}:${line}:${column}`;
}

/** A mismatch in lines: `-` was expected and did not come, `+` came and was not expected. */
export function mismatchLines({ what, expected, got, missing = [], unexpected = [] }: Mismatch): string[] {
  if (expected !== undefined) return [`- ${what}: ${expected}`, `+ ${what}: ${got ?? ''}`];
  return [...missing.map((one) => `- ${what}: ${one}`), ...unexpected.map((one) => `+ ${what}: ${one}`)];
}
