import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatAvcLine } from '../security-server/index.ts';
import { readLog } from './index.ts';
import type { AvcLine } from './log-lines.ts';

function avcLines(text: string): AvcLine[] {
  return readLog(text).lines.filter((line): line is AvcLine => line.kind === 'avc');
}

function only(text: string): AvcLine {
  const [line, ...more] = avcLines(text);
  if (line === undefined || more.length > 0) throw new Error(`${more.length + 1} lines`);
  return line;
}

const LABELS = 'scontext=system_u:system_r:dom0_t tcontext=user_1:vm_r:domU_t tclass=domain';

test('lines of Xen before 4.17 name domains by domid= and target=, later ones by source=, target= and current=', () => {
  const named = (domains: string): (string | undefined | boolean)[] => {
    const line = only(`(XEN) avc:  denied  { pause } for ${domains} ${LABELS}`);
    return [line.sourceDomain, line.targetDomain, line.currentDomain, line.hasOldNames];
  };
  expect(named('domid=0 target=9')).toEqual(['0', '9', undefined, true]);
  expect(named('domid=11')).toEqual(['11', undefined, undefined, true]);
  expect(named('target=9')).toEqual([undefined, '9', undefined, false]);
  expect(named('source=d0 target=d2')).toEqual(['0', '2', undefined, false]);
  expect(named('current=d[IDLE]')).toEqual([undefined, undefined, '[IDLE]', false]);
  expect(named('source=d[XEN]')).toEqual(['[XEN]', undefined, undefined, false]);
});

test('what a line names beside domains and labels is kept as written', () => {
  const details = (text: string): AvcLine['details'] =>
    only(`avc:  denied  { use } for current=d0 ${text} ${LABELS}`).details;
  expect(details('range=0x107d517-0x107d517')).toEqual({ range: '0x107d517-0x107d517' });
  expect(details('irq=16')).toEqual({ irq: '16' });
  expect(details('device=0x300')).toEqual({ device: '0x300' });
  expect(details('device=0')).toEqual({ device: '0' });
  expect(details('dtdevice=/soc/gpio@7d517c00')).toEqual({ dtdevice: '/soc/gpio@7d517c00' });
  expect(details('dtdevice=/a b/c irq=3')).toEqual({ dtdevice: '/a b/c irq=3' });
  expect(details('pte=0x8000000012345067 mfn=0x12345')).toEqual({ pte: '0x8000000012345067', mfn: '0x12345' });
});

test('several permissions, bits without a name, none at all, and a granted line are read', () => {
  const line = only(`avc:  denied  { map_write 0x8000 } for source=d0 target=d1 ${LABELS}`);
  expect([line.permissions, line.unnamedBits]).toEqual([['map_write'], 0x8000]);
  expect(only(`avc:  denied  { a b c 0x80000000 } for current=d0 ${LABELS}`)).toMatchObject({
    permissions: ['a', 'b', 'c'],
    unnamedBits: 0x80000000,
  });
  expect(only(`avc:  denied  null for current=d0 ${LABELS}`)).toMatchObject({ permissions: [], unnamedBits: 0 });
  expect(only(`avc:  granted  { setbool } for current=d0 ${LABELS}`).outcome).toBe('granted');
});

test('a label that Xen could not say is a SID', () => {
  const line = only('avc:  denied  { pause } for current=d0 ssid=42 tsid=-1 tclass=domain');
  expect([line.source, line.target]).toEqual([42, -1]);
});

test('lines are found in any noise: time stamps, journals, colours, carriage returns, two in one line', () => {
  const line = `avc:  denied  { pause } for source=d0 target=d1 ${LABELS}`;
  const noisy = [
    `(XEN) [    8.401223] ${line}`,
    `(XEN) [2026-07-01 10:00:00] ${line}\r`,
    `Jul  1 10:00:00 host xenconsoled[812]: hypervisor: (XEN) ${line}`,
    `\x1b[31m(XEN) ${line}\x1b[0m`,
    `{"MESSAGE":"(XEN) ${line}"}`,
    `(XEN) ${line}(XEN) ${line}`,
    '(XEN) d2v0: vGICD: unhandled word write 0x000000ffffffff to ICACTIVER0',
    'avc: something else; avc:  seqno 3 < latest_notif 4',
  ].join('\n');
  const found = avcLines(noisy);
  expect(found.map((one) => one.line)).toEqual([1, 2, 3, 4, 5, 6, 6]);
  for (const one of found) expect(one).toMatchObject({ class: 'domain', target: 'user_1:vm_r:domU_t' });
});

test('what Linux denies is not taken for something that Xen denies', () => {
  const text = `audit: avc:  denied  { read } for  pid=812 comm="xl" name="x" dev="tmpfs" ino=3 ${LABELS} permissive=0`;
  expect(readLog(text)).toMatchObject({ lines: [], linuxLines: 1, broken: [] });
});

test('a line that was wrapped is read whole, wherever it was wrapped, and nothing of a stranger', () => {
  const whole = `avc:  denied  { pause destroy } for source=d0 target=d9 ${LABELS}`;
  const wanted = only(`(XEN) ${whole}`);
  for (let at = 14; at < whole.length - 6; at++) {
    const [head, tail] = [whole.slice(0, at), whole.slice(at)];
    const wraps = [`${head}\n${tail}`, `${head}\r\n${tail}`];
    // A letter loses the space at which it wraps, or indents the rest.
    if (/\S$/.test(head) && tail.startsWith(' '))
      wraps.push(`${head}\n${tail.trimStart()}`, `${head}\n    ${tail.trimStart()}`);
    for (const text of wraps) {
      const { lines, broken } = readLog(`(XEN) ${text}\n(XEN) something else\n`);
      expect({ lines, broken }, text).toEqual({ lines: [wanted], broken: [] });
    }
  }
  const three = `(XEN) ${whole.slice(0, 50)}\n${whole.slice(50, 100)}\n${whole.slice(100)}\n`;
  expect(readLog(`${three}(XEN) ${whole}\n`).lines).toEqual([wanted, { ...wanted, line: 4 }]);
  // What is cut off within its last word stays so: the next line is another's.
  const cut = `(XEN) ${whole.replace('domain', '')}`;
  for (const next of ['Nov 28 host systemd[1]: started', `(XEN) ${whole}`, ''])
    expect(readLog(`${cut}\n${next}\n`).broken).toEqual([1]);
});

test('what a guest wrote to its console is not what Xen denied', () => {
  const whole = `avc:  denied  { pause } for source=d0 target=d9 ${LABELS}`;
  const { lines, guestLines } = readLog(
    `(d5) ${whole}\n(XEN) [2026-01-01 00:00:00] (d12) x ${whole}\n(XEN) ${whole}\n`,
  );
  expect([lines.map(({ line }) => line), guestLines]).toEqual([[3], 2]);
  // A guest writes what it likes, and cannot keep Xen from ending its line.
  for (const forged of [`(XEN) ${whole}`, `booting(XEN) ${whole}`, `&#40;XEN) ${whole}`, `${whole}(XEN) ${whole}`]) {
    const read = readLog(`(d5) ${forged}\n(XEN) (d5) ${forged}\n`);
    expect([read.lines, read.guestLines]).toEqual([[], 2]);
  }
  const both = readLog(`(XEN) ${whole}(d5) (XEN) ${whole}\n`);
  expect([both.lines.length, both.guestLines]).toEqual([1, 1]);
});

test('what a page, a bug tracker or an archive of letters escaped is read as what it shows', () => {
  const message = `avc:  denied  { pause } for source=d0 target=d1 ${LABELS}`;
  const plain = only(`(XEN) ${message}`);
  const numbers = message.replaceAll(/[{}=:]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const hexNumbers = message.replaceAll(/[{}=:]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16)};`);
  for (const page of [
    `&gt; (XEN) ${message}`,
    `&amp;gt; (XEN) ${message}&amp;quot;`,
    `&amp;amp;gt; (XEN) ${message}`,
    `{ &quot;message&quot;: &quot;(XEN) ${message}&quot; }`,
    `(XEN) ${message.replaceAll(' ', '&nbsp;')}`,
    `(XEN) ${message.replaceAll(' ', '&#160;')}`,
    `(XEN) ${numbers}`,
    `(XEN) ${hexNumbers}`,
    `(XEN) ${numbers.replaceAll('&', '&amp;')}`,
    `(XEN) ${message.replace('{ pause }', '{ &quot;pause&quot; }')}`,
    `<pre class="log">(XEN) ${message}<br/></pre>`,
    `<td><b>(XEN) avc</b>: ${message.slice('avc:'.length).replace('denied', '<span class="k">denied</span>')}</td>`,
    `{"log":"(XEN) ${message.replaceAll('=', '\\u003d')}\\u003cbr\\u003e\\n"}`,
  ])
    expect(only(page), page).toEqual(plain);
  // Angle brackets of syslog and of addresses are no tags, and what is wrapped is joined as in any letter.
  expect(avcLines(`<6>(XEN) ${message}\n<a@b.c> (XEN) ${message}\n`)).toHaveLength(2);
  expect(only(`&gt;&gt; (XEN) ${message.replace(' target', '\n&gt;&gt; target')}`)).toEqual(plain);
  // A guest's line is a guest's, however it is escaped.
  expect(readLog(`&#40;d5) (XEN) ${message}`).guestLines).toBe(1);
  expect(readLog(`<p>(d5</p>) (XEN) ${message}`).guestLines).toBe(1);
});

test('a line of nothing but escapes and brackets costs no more than its length', () => {
  for (const piece of ['&amp;', '&#', '<a ', '<', '&amp;amp;amp;', '\\u003c', '<b', '<a <b >'])
    expect(readLog(`avc:${piece.repeat(50_000)}\n`.repeat(20)).lines).toEqual([]);
});

test('a line that is cut off is told by its number, wherever it ends', () => {
  const whole = `(XEN) avc:  denied  { pause } for source=d0 target=d1 ${LABELS}`;
  for (let length = whole.indexOf('avc:') + 4; length < whole.length - 'domain'.length; length++)
    expect(readLog(`ok\n${whole.slice(0, length)}\nok`).broken).toEqual([2]);
});

test('operations without a check, what is said of labels, and the mode are read', () => {
  const text = [
    '(XEN) FLASK: Denying unknown domctl: 86.',
    '(XEN) FLASK: Allowing unknown event channel state: 5.',
    '(XEN) flask_platform_op: Unknown op 64',
    '(XEN) Flask:  Starting in enforcing mode.',
    '(XEN) Flask: Policy loaded, continuing in permissive mode.',
    '(XEN) Flask:  invalidating context user_1:vm_r:gone_t',
    '(XEN) Flask:  context a:b:c is invalid',
    '(XEN) security_compute_sid:  invalid context a:b:c for scontext=d:e:f tcontext=g:h:i tclass=event',
  ].join('\n');
  const { lines } = readLog(text);
  expect(lines).toMatchObject([
    { kind: 'unknown-operation', outcome: 'denied', group: 'domctl', number: 86 },
    { kind: 'unknown-operation', outcome: 'allowed', group: 'event channel state', number: 5 },
    { kind: 'unknown-operation', outcome: 'denied', group: 'platform_op', number: 64 },
    { kind: 'mode', mode: 'enforcing' },
    { kind: 'mode', mode: 'permissive' },
    { kind: 'label', event: 'invalidated', label: 'user_1:vm_r:gone_t' },
    { kind: 'label', event: 'invalid', label: 'a:b:c' },
    { kind: 'label', event: 'computed-invalid', label: 'a:b:c', source: 'd:e:f', target: 'g:h:i', class: 'event' },
  ]);
});

test('what Xen writes of a decision is read back as it was', () => {
  const names = ['create', 'pause', 'getvcpuinfo'];
  for (const hasOldNames of [false, true]) {
    for (const source of [undefined, 0, 7, 0x7ff2]) {
      for (const target of [undefined, 0, 12]) {
        for (const permissions of [0, 1, 6, 0x8005]) {
          const data = {
            current: 0x7fff,
            ...(source === undefined ? {} : { source }),
            ...(target === undefined ? {} : { target }),
            ...(permissions === 1 ? { range: { low: 0n, high: 0xffn } } : { irq: 5 }),
          };
          const record = {
            outcome: 'denied',
            permissions,
            permissionNames: names,
            scontext: 'system_u:system_r:dom0_t:s0-s15:c0.c255',
            tcontext: permissions === 6 ? 3 : 'a:b:c',
            tclass: 'domain',
            data,
            hasOldNames,
          } as const;
          const line = only(`(XEN) ${formatAvcLine(record)}`);
          expect(line).toMatchObject({ source: record.scontext, target: record.tcontext, class: 'domain' });
          expect(line.permissions).toEqual(names.filter((_, bit) => ((permissions >>> bit) & 1) === 1));
          expect(line.unnamedBits).toBe(permissions & ~7);
          expect(line.details).toEqual(permissions === 1 ? { range: '0-0xff' } : { irq: '5' });
        }
      }
    }
  }
});

test('every line that real Xen 4.17 wrote is read', () => {
  const text = readFileSync(new URL('../security-server/fixtures/real-xen-4.17.avc', import.meta.url), 'latin1');
  const written = text.split('\n').filter((line) => line !== '');
  const { lines, broken } = readLog(written.map((line) => `(XEN) ${line}`).join('\n'));
  expect([lines.length, broken]).toEqual([written.length, []]);
  for (const [i, line] of lines.entries()) {
    if (line.kind !== 'avc') throw new Error(line.kind);
    // What is named in the line is all there, in its order.
    const { permissions, source, target, details } = line;
    const parts = [permissions.join(' '), ...Object.values(details), String(source), String(target), line.class];
    expect(written[i]).toMatch(new RegExp(parts.map((part) => part.replaceAll(/[.[\]]/g, '\\$&')).join('.*')));
  }
});

test('a hostile log is read in one pass, and within limits', () => {
  const long = readLog(`avc:  denied  { ${'a '.repeat(2_000_000)}`);
  expect(long.broken).toEqual([1]);
  const many = readLog(
    `${'avc:'.repeat(500_000)}\n${'avc:  denied  {'.repeat(100_000)}\n${'scontext='.repeat(500_000)}`,
  );
  expect(many.lines).toEqual([]);
  readLog(`avc:  denied  { x } for ${'dtdevice='.repeat(400_000)} ${LABELS}`);
  readLog(`FLASK: Denying unknown ${'a '.repeat(1_000_000)}`);
  readLog(`Flask:  context ${'x'.repeat(1_000_000)}\n${'Flask:  context '.repeat(100_000)}`);
  const line = `avc:  denied  { pause } for source=d0 target=d1 ${LABELS}\n`;
  const limited = readLog(line.repeat(100), { lines: 10, lineLength: 1024 });
  expect([limited.lines.length, limited.skipped, limited.lineCount]).toEqual([10, 90, 100]);
});

test('messages that a limit on their rate left out are counted, as the log says', () => {
  const text = [
    '(XEN) printk: 57 messages suppressed.',
    'systemd-journald[1]: Suppressed 120 messages from xenconsoled.service',
    '(XEN) 3 messages',
    `(XEN) avc:  denied  { pause } for current=d0 ${LABELS}`,
    '',
  ].join('\n');
  expect(readLog(text).suppressed).toBe(177);
});

test('a log that ends within the name of a class ends with a line that is cut off', () => {
  const line = `(XEN) avc:  denied  { pause } for current=d0 ${LABELS}`;
  for (const cut of [1, 2, 5]) expect(readLog(line.slice(0, -cut))).toMatchObject({ lines: [], broken: [1] });
  expect(avcLines(line)).toHaveLength(1);
  // A class that no Xen has is one that is not known here.
  expect(avcLines(line.replace(/domain$/, 'xen9'))[0]?.class).toBe('xen9');
});
