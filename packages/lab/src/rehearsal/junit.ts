/**
 * Results as JUnit XML, which build servers read.
 *
 * @module
 */
import { mismatchLines, stepPlaceText } from './result-text.ts';
import type { ScenarioResult } from './run-scenario.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** A text for XML; what XML cannot hold becomes a question mark. */
function xmlText(text: string): string {
  return text
    .replaceAll(/[^\t\n\x20-\x7e\xa0-\uffff]/g, '?')
    .replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3);

function testCase({ name, file, outcome, reason, failures, milliseconds }: ScenarioResult): string[] {
  const open = `    <testcase name="${xmlText(name)}" classname="${xmlText(file)}" time="${seconds(milliseconds)}"`;
  if (outcome === 'passed') return [`${open}/>`];
  if (outcome === 'broken') return [`${open}>`, `      <error message="${xmlText(reason ?? '')}"/>`, '    </testcase>'];
  const lines = failures.flatMap(({ step, title, place, mismatches }) => [
    `step ${step + 1}: ${title}${place === undefined ? '' : ` (${stepPlaceText(place)})`}`,
    ...mismatches.flatMap(mismatchLines).map((line) => `  ${line}`),
  ]);
  const message = `${failures.length} ${failures.length === 1 ? 'step' : 'steps'} came otherwise`;
  return [
    `${open}>`,
    `      <failure message="${xmlText(message)}">${xmlText(lines.join('\n'))}</failure>`,
    '    </testcase>',
  ];
}

/** The results as an XML document: a suite for each file, a case for each scenario. */
export function junitText(results: readonly ScenarioResult[]): string {
  const files = [...new Set(results.map(({ file }) => file))];
  const counts = (list: readonly ScenarioResult[]): string => {
    const of = (outcome: ScenarioResult['outcome']): number => list.filter((one) => one.outcome === outcome).length;
    const time = list.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    return `tests="${list.length}" failures="${of('failed')}" errors="${of('broken')}" time="${seconds(time)}"`;
  };
  const suites = files.flatMap((file) => {
    const list = results.filter((one) => one.file === file);
    return [`  <testsuite name="${xmlText(file)}" ${counts(list)}>`, ...list.flatMap(testCase), '  </testsuite>'];
  });
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts(results)}>`,
    ...suites,
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}
