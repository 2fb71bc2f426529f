import { placeText, SourceText, userSpan } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { readScenarios } from './read-scenario.ts';
import type { Scenario } from './scenario.ts';

interface Read {
  readonly scenarios: readonly Scenario[];
  /** Code, place and message of each diagnostic, with its notes. */
  readonly said: readonly string[];
}

function read(text: string): Read {
  const said: string[] = [];
  const scenarios = readScenarios(new SourceText('s.yaml', text), ({ code, origin, message, notes }) => {
    const place = origin === undefined ? '?' : placeText(userSpan(origin));
    said.push([`${place} ${code}: ${message}`, ...notes.map((note) => note.message)].join('; '));
  });
  return { scenarios, said };
}

const GUEST = "guests: { web: 'memory = 64' }\n";

describe('a scenario file', () => {
  test('holds a scenario in each document', () => {
    const { scenarios, said } = read('name: one\nsteps: [list]\n---\nname: two\npolicy: ../p\nmls: true\nsteps: []\n');
    expect(said).toEqual([]);
    expect(scenarios.map(({ name, policy, isMls, steps }) => [name, policy, isMls, steps.length])).toEqual([
      ['one', undefined, false, 1],
      ['two', '../p', true, 0],
    ]);
  });

  test('knows the guests, the hosts and the options of its steps', () => {
    const { scenarios, said } = read(
      `hosts: [a, b]\n${GUEST}steps:\n  - save: web\n    on: b\n    checkpoint: true\n    expect: { outcome: failed, exit: 3 }\n`,
    );
    expect(said).toEqual([]);
    expect(scenarios[0]?.steps[0]).toMatchObject({
      kind: 'save',
      subject: 'web',
      host: 'b',
      options: { checkpoint: true },
      expect: { outcome: 'failed', exit: 3 },
    });
  });

  test('may use the name that a guest was given', () => {
    expect(read(`${GUEST}steps:\n  - rename: web\n    to: front\n  - destroy: front\n`).said).toEqual([]);
  });

  test.each([
    [
      'stepz: []\n',
      [
        's.yaml:1:1 scenario/unknown-key: unknown key `stepz` in the scenario; did you mean `steps`?',
        's.yaml:1:1 scenario/missing-key: the scenario lacks `steps`',
      ],
    ],
    [
      'steps:\n  - destry: web\n',
      ['s.yaml:2:5 scenario/unknown-name: the scenario has no kind of step `destry`; did you mean `destroy`?'],
    ],
    [
      `${GUEST}steps:\n  - destroy: wbe\n`,
      ['s.yaml:3:14 scenario/unknown-name: the scenario has no guest `wbe`; did you mean `web`?'],
    ],
    [
      `${GUEST}steps:\n  - pause: web\n    on: moon\n`,
      ['s.yaml:4:9 scenario/unknown-name: the scenario has no host `moon`'],
    ],
    [`${GUEST}steps:\n  - mem-set: web\n`, ['s.yaml:3:5 scenario/missing-key: step `mem-set` lacks `mib`']],
    [
      `${GUEST}steps:\n  - mem-set: web\n    mib: many\n`,
      ['s.yaml:4:10 scenario/bad-value: `mib` of step `mem-set` must be a whole number from 0 up'],
    ],
    [
      `${GUEST}steps:\n  - pause: web\n    expect: { denied: [dom0_t] }\n`,
      [
        's.yaml:4:24 scenario/bad-value: a check in `denied` must be like a rule: `SOURCE TARGET:CLASS { PERMISSIONS }`',
      ],
    ],
    [
      `${GUEST}steps:\n  - pause: web\n    expect: { sate: paused }\n`,
      ['s.yaml:4:15 scenario/unknown-key: unknown key `sate` in `expect`; did you mean `state`?'],
    ],
    [
      'steps:\n  - setenforce: 2\n',
      ['s.yaml:2:17 scenario/bad-value: `setenforce` must be one of `enforcing`, `permissive`'],
    ],
    ['steps:\n  - list: all\n', ['s.yaml:2:11 scenario/bad-value: `list` must be without a value']],
    ['steps: [pause]\n', ['s.yaml:1:9 scenario/bad-value: a step must be `pause:` with what it is about']],
    ['steps: 3\n', ['s.yaml:1:8 scenario/bad-value: `steps` must be a list']],
    ['- list\n', ['s.yaml:1:1 scenario/bad-value: the scenario must be a map of keys and values']],
    [
      'name: &a x\nsteps: []\n',
      ['s.yaml:1:10 scenario/not-yaml: the scenario cannot be read: anchors are not used in scenarios'],
    ],
    [
      'name: !!str x\nsteps: []\n',
      ['s.yaml:1:13 scenario/not-yaml: the scenario cannot be read: tags are not used in scenarios'],
    ],
    ['steps: [\n', [expect.stringMatching(/^s\.yaml:\d+:\d+ scenario\/not-yaml: /)]],
    ['name: a\nname: b\nsteps: []\n', [expect.stringMatching(/^s\.yaml:2:1 scenario\/not-yaml: .*[Uu]nique/)]],
  ])('is told what is wrong, and where: %j', (text, expected) => {
    const { scenarios, said } = read(text);
    expect(said).toEqual(expected);
    expect(scenarios).toEqual([]);
  });

  test('of many nested brackets is refused, not followed', () => {
    const deep = `steps: ${'['.repeat(5000)}${']'.repeat(5000)}\n`;
    expect(read(deep).scenarios).toEqual([]);
  });
});
