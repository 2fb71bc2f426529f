/**
 * Scenarios in threads: each runs the command itself on a part of them, and answers as data.
 *
 * @module
 */
import { Worker } from 'node:worker_threads';
import type { ScenarioResult } from '@dewar/lab/rehearsal';
import type { TestFlags } from './scenario-runs.ts';

/** The results of one part. */
async function runPart(words: readonly string[]): Promise<readonly ScenarioResult[]> {
  const worker = new Worker(process.argv[1] ?? '', { argv: [...words], stdout: true, stderr: true });
  const chunks: Buffer[] = [];
  worker.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((done, fail) => {
    worker.on('error', fail);
    worker.on('exit', () => done());
  });
  // The command's own data, as this version writes it.
  const { scenarios } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
    readonly scenarios: readonly ScenarioResult[];
  };
  return scenarios;
}

/** Runs the scenarios of a path in threads; the results are in the order of the files. */
export async function runInThreads(path: string, flags: TestFlags, jobs: number): Promise<ScenarioResult[]> {
  const filter = flags.filter === undefined ? [] : ['--filter', flags.filter];
  const parts = await Promise.all(
    Array.from({ length: jobs }, (_, i) =>
      runPart(['test', path, '--json', '--shard', `${i + 1}/${jobs}`, ...filter, ...flags.compileWords]),
    ),
  );
  const longest = Math.max(...parts.map((part) => part.length));
  return Array.from({ length: longest }, (_, i) => parts.flatMap((part) => part[i] ?? [])).flat();
}
