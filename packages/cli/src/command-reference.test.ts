/** `docs/commands.md` holds the help of every command as it is printed; `npm run golden` renews it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const page = fileURLToPath(new URL('../../../docs/commands.md', import.meta.url));

/** The commands in the order of `dewar help`, each group with its heading. */
async function groups(): Promise<{ readonly heading: string; readonly commands: readonly string[] }[]> {
  const { out } = await dewar('help');
  const found: { heading: string; commands: string[] }[] = [];
  for (const line of out.split('\n')) {
    const heading = /^([A-Z][^:]*):$/.exec(line)?.[1];
    const command = /^ {2}([a-z][a-z0-9-]*) /.exec(line)?.[1];
    if (heading !== undefined) found.push({ heading, commands: [] });
    else if (command !== undefined) found.at(-1)?.commands.push(command);
  }
  return found.filter(({ commands }) => commands.length > 0);
}

async function helpOf(...words: readonly string[]): Promise<string> {
  const { out } = await dewar('help', ...words);
  return out.trimEnd();
}

test('the README says what each command is for', async () => {
  const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
  const named = new Set([...readme.matchAll(/`([a-z0-9-]+)`/g)].map((match) => match[1]));
  const commands = (await groups()).flatMap((group) => group.commands).filter((name) => name !== 'help');
  expect(commands.filter((name) => !named.has(name))).toEqual([]);
});

test('every command is in the reference, with all its options', async () => {
  const lines = [
    '# All commands',
    '',
    'What `dewar help COMMAND` prints. The [README](../README.md) says what each is for.',
  ];
  for (const { heading, commands } of await groups()) {
    lines.push('', `## ${heading}`);
    for (const command of commands) lines.push('', `### ${command}`, '', '```', await helpOf(command), '```');
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(page);
});
