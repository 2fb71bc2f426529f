import { expect, test } from 'vitest';
import { makeProgress } from './progress.ts';

/** What is written on a stream, as text. */
function record(isTerminal: boolean): {
  stream: { write(bytes: Uint8Array): void; isTerminal: boolean };
  text(): string;
} {
  let text = '';
  return {
    stream: {
      isTerminal,
      write(bytes) {
        text += Buffer.from(bytes).toString('latin1');
      },
    },
    text: () => text,
  };
}

test('long work says what it is at, and leaves nothing behind', () => {
  const { stream, text } = record(true);
  let now = 0;
  const progress = makeProgress(stream, 'policy', () => now);
  progress.onStage('expanding macros');
  now = 1000;
  progress.onStage('expanding rules');
  progress.end();
  expect(text()).toBe('\r\x1b[Kpolicy: expanding rules\r\x1b[K');
});

test('short work shows nothing', () => {
  const { stream, text } = record(true);
  const progress = makeProgress(stream, 'policy', () => 0);
  progress.onStage('expanding macros');
  progress.end();
  expect(text()).toBe('');
});

test('what is no terminal shows nothing', () => {
  const { stream, text } = record(false);
  let now = 0;
  const progress = makeProgress(stream, 'policy', () => now);
  now = 1000;
  progress.onStage('expanding rules');
  progress.end();
  expect(text()).toBe('');
});
