/** What the writer wrote, the reader reads, and writing that again gives the same bytes. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { SourceText } from '../text/index.ts';
import { expandPolicyRules, readPolicydb, writePolicydb } from './index.ts';

const folder = new URL('../../../../tests/checkpolicy/policies/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));

test.each(names.flatMap((name) => [24, 30].map((version) => [name, version as 24 | 30] as const)))(
  '%s at version %i reads back to the same bytes',
  (name, version) => {
    const text = readFileSync(new URL(name, folder), 'latin1');
    const { bytes } = compileText(new SourceText(name, text), { version, isMls: name.includes('-mls') });
    if (bytes === undefined) throw new Error(`${name} does not compile`);
    const read = readPolicydb(bytes);
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    const again = writePolicydb(read.policy, expandPolicyRules(read.policy).rules, version);
    expect(Buffer.from(again).equals(bytes)).toBe(true);
  },
);
