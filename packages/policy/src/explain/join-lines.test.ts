import { describe, expect, test } from 'vitest';
import { XEN_RELEASES, xenRelease } from '../releases/index.ts';
import { readLog } from './index.ts';
import type { LogLine } from './log-lines.ts';

const [DOM0, GUEST] = ['scontext=system_u:system_r:dom0_t', 'tcontext=user_1:vm_r:nomigrate_t'];

/** One message of each form. */
const MESSAGES = [
  `avc:  denied  { pause destroy } for domid=0 target=9 ${DOM0} ${GUEST} tclass=domain`,
  `avc:  denied  { map_write 0x8000 } for source=d0 target=d1 pte=0x8000000012345067 mfn=0x12345 ${DOM0} ${GUEST} tclass=mmu`,
  `avc:  denied  { add_irq } for current=d[IDLE] irq=16 ${DOM0} tcontext=system_u:object_r:nic_dev_t tclass=resource`,
  `avc:  denied  { use_iommu } for current=d0 dtdevice=/soc/gpio@7d517c00 ${DOM0} ${GUEST} tclass=resource`,
  `avc:  granted  { setbool } for current=d0 ${DOM0}:s0-s15:c0.c255 tcontext=system_u:system_r:security_t:s0 tclass=security`,
  `avc:  denied  { gettsc } for source=d0 target=d1 ${DOM0} ${GUEST} tclass=domain2`,
];

/** What a line begins with where others add to it, and what they add to the next one. */
const PREFIXES: readonly (readonly [first: string, next: string])[] = [
  ['(XEN) ', ''],
  ['(XEN) [    8.401223] ', ''],
  ['> (XEN) ', '> '],
  ['> > (XEN) ', '> > '],
  ['> (XEN) ', ''],
  ['Jul  9 10:00:09 host xen[812]: (XEN) ', 'Jul 10 10:00:10 host xen[812]: '],
  ['[2026-07-01T10:00:00.123Z] (XEN) [2026-07-01 10:00:00] ', '[2026-07-01T10:00:01.004Z] '],
  ['(XEN) [000001a2b3c4d5e6] ', '(XEN) [000001a2b3c4d5ff] '],
  ['hypervisor.log:12:(XEN) ', 'hypervisor.log:13:'],
  ['\x1b[31m(XEN) \x1b[0m', '\x1b[0m'],
];

function only(text: string): LogLine {
  const [line, ...more] = readLog(text).lines;
  if (line === undefined || more.length > 0) throw new Error(`${more.length + 1} lines of ${text}`);
  return line;
}

/** Places at which a message can be broken: behind the mark. */
function breaks(message: string): number[] {
  return Array.from({ length: message.length - 5 }, (_, i) => i + 5);
}

describe.each(PREFIXES)('behind %j and %j', (first, next) => {
  test('a message is read whole, wherever it was wrapped', () => {
    for (const message of MESSAGES) {
      const wanted = only(`${first}${message}`);
      for (const at of breaks(message)) {
        const [head, tail] = [message.slice(0, at), message.slice(at)];
        const wraps = [`${head}\n${next}${tail}`, `${head}\r\n${next}${tail}\r`, `${head}\\\n${next}${tail}`];
        // A letter loses the space at which it wraps, or indents what follows.
        if (/\S$/.test(head) && tail.startsWith(' '))
          wraps.push(`${head}\n${next}${tail.trimStart()}`, `${head}\n${next}    ${tail.trimStart()}`);
        for (const text of wraps) {
          const { lines, broken } = readLog(`${first}${text}\n(XEN) something else\n`);
          expect({ lines, broken }, text).toEqual({ lines: [wanted], broken: [] });
        }
      }
    }
  });

  test('so it is in many narrow lines, and what follows is read as its own', () => {
    for (const message of MESSAGES) {
      for (const width of [30, 41, 57, 72, 80]) {
        const pieces = `${message} `.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
        const text = `${first}${pieces.join(`\n${next}`)}\n${first}${message}\n`;
        const { lines, broken } = readLog(text);
        expect([lines.map(({ kind }) => kind), broken], text).toEqual([['avc', 'avc'], []]);
        const [one, other] = lines.map((line) => ({ ...line, line: 0 }));
        expect(one, text).toEqual(other);
      }
    }
  });
});

test('a letter as it is sent has equal signs in code, and breaks lines with one', () => {
  for (const message of MESSAGES) {
    const wanted = only(message);
    const coded = message.replaceAll('=', '=3D');
    expect(only(coded)).toEqual(wanted);
    for (const at of breaks(coded)) {
      // Such a sign is never broken itself.
      if (/=3?$/.test(coded.slice(0, at)) && coded.slice(at - 1, at + 2).includes('=3D')) continue;
      const text = `${coded.slice(0, at)}=\n${coded.slice(at)}`;
      if (/=3?=$/.test(`${coded.slice(0, at)}=`)) continue;
      // Without a coded sign in its first part nothing tells such a letter.
      if (!text.slice(0, at).includes('=3D')) continue;
      expect(readLog(text), text).toMatchObject({ lines: [wanted], broken: [] });
    }
  }
});

test('spaces that do not break, and colours within a word, are no difference', () => {
  for (const message of MESSAGES) {
    const wanted = only(message);
    expect(only(message.replaceAll('  ', '\xc2\xa0 '))).toEqual(wanted);
    expect(only(message.replaceAll(' ', '\xa0'))).toEqual(wanted);
    for (const word of ['avc', 'vc', 'c:', 'denied', 'system_u', 'dom0_t', 'tclass', 'context']) {
      for (const [on, off] of [
        ['\x1b[01;31m\x1b[K', '\x1b[m\x1b[K'],
        ['\x1b[38;2;1;2;3m', '\x1b[0m'],
        ['\x1b[38:5:9m', '\x1b(B\x1b[m'],
        ['\x1b]8;;https://example.org\x1b\\', '\x1b]8;;\x07'],
        ['\\u001b[1m', '\\u001b[0m'],
      ] as const) {
        // JSON does not escape half of a mark.
        if (on.startsWith('\\u') && ['vc', 'c:', 'avc'].includes(word)) continue;
        expect(only(`(XEN) ${message.replaceAll(word, `${on}${word}${off}`)}`), word + on).toEqual(wanted);
      }
    }
  }
});

test('nothing of a guest and nothing of another message completes a message', () => {
  const whole = MESSAGES[0] ?? '';
  for (const cut of [whole.slice(0, 70), whole.slice(0, -7), whole.slice(0, -6)]) {
    const rest = whole.slice(cut.length);
    for (const next of [`(d5) ${rest}`, `(XEN) (d5) ${rest}`, `x`.repeat(401) + rest, 'host systemd[1]: started', ''])
      expect(readLog(`(XEN) ${cut}\n${next}\n`), next).toMatchObject({ lines: [], broken: [1] });
  }
  // A message that goes on behind another one's mark is that one.
  const found = readLog(`(XEN) ${whole.slice(0, 70)}\n(XEN) ${whole}\n`);
  expect([found.lines.map(({ line }) => line), found.broken]).toEqual([[2], [1]]);
});

test('the rest of a wrapped message can share its line with the next one', () => {
  const [whole = '', other = ''] = MESSAGES;
  const text = `(XEN) ${whole.slice(0, 60)}\r\n${whole.slice(60)}(XEN) ${other}\n`;
  expect(readLog(text).lines).toEqual([only(`(XEN) ${whole}`), { ...only(`(XEN) ${other}`), line: 2 }]);
});

test('other messages of FLASK are read whole too, and told where they are cut off', () => {
  const messages = [
    'FLASK: Denying unknown domctl: 86.',
    'security_compute_sid:  invalid context a:b:c_t for scontext=d:e:f tcontext=g:h:i tclass=event',
    'Flask:  context system_u:system_r:gone_t is invalid',
  ];
  for (const message of messages) {
    const wanted = { kind: only(`(XEN) ${message}`).kind, line: 1 };
    const at = message.indexOf(' ', message.search(/unknown|context/) + 4);
    const text = `(XEN) ${message.slice(0, at)}\n${message.slice(at)}\n`;
    expect(readLog(text).lines, text).toMatchObject([wanted]);
    expect(readLog(`(XEN) ${message.slice(0, at)}\n(XEN) other\n`)).toMatchObject({ lines: [], broken: [1] });
  }
  // What Linux says of a context is none of Xen's.
  expect(readLog(`SELinux: ${messages[1]}`)).toMatchObject({ lines: [], broken: [] });
});

test('the end of a message whose beginning is lost is told', () => {
  expect(readLog(`create } for current=d0 ${DOM0} ${GUEST} tclass=domain\n`).broken).toEqual([1]);
});

test('no permission is two others put together, so that a break between two can be told', () => {
  const names = new Set(XEN_RELEASES.flatMap((one) => xenRelease(one).classes.flatMap((tclass) => tclass.permissions)));
  const double = [...names].filter((name) =>
    Array.from({ length: name.length - 1 }, (_, i) => i + 1).some(
      (at) => names.has(name.slice(0, at)) && names.has(name.slice(at)),
    ),
  );
  expect(double).toEqual([]);
});
