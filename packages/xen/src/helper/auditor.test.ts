/** A policy with auditing stands in for another one, and that one comes back: held against a FLASK of a few lines. */
import { beforeEach, expect, test } from 'vitest';
import { Auditor } from './auditor.ts';
import type { HostAccess } from './host-access.ts';

/** What is in force, as far as the auditor can see it. */
interface Fake {
  policy: string;
  booleans: Record<string, { now: number; pending: number }>;
  /** Makes a function of libxenctrl fail with an errno. */
  readonly fails: Map<string, string>;
  errno: string;
  /** A policy that does not keep the values of booleans, as Xen's never is. */
  forgets: boolean;
}

let xen: Fake;

beforeEach(() => {
  xen = { policy: 'plain', booleans: { b: { now: 1, pending: 1 } }, fails: new Map(), errno: '', forgets: false };
});

function load(bytes: Buffer): number {
  if (bytes.toString() === 'no policy') return -1;
  xen.policy = bytes.toString();
  for (const one of Object.values(xen.booleans)) {
    if (xen.forgets) one.now = 0;
    one.pending = one.now;
  }
  return 0;
}

/** The functions of libxenctrl that the auditor calls. Out parameters are arrays of one number. */
function call(name: string, args: readonly unknown[]): number {
  xen.errno = xen.fails.get(name) ?? '';
  if (xen.errno !== '') return -1;
  switch (name) {
    case 'xc_flask_load':
      return load(args[0] as Buffer);
    case 'xc_flask_getbool_byid': {
      const [id, room, , now, pending] = args as [number, Buffer, number, number[], number[]];
      const [label, state] = Object.entries(xen.booleans)[id] ?? [];
      if (label === undefined || state === undefined) {
        xen.errno = 'ENOENT';
        return -1;
      }
      room.write(`${label}\0`);
      now[0] = state.now;
      pending[0] = state.pending;
      return 0;
    }
    case 'xc_flask_setbool': {
      const [text, value] = args as [Buffer, number];
      const state = xen.booleans[text.toString().replace('\0', '')];
      if (state !== undefined) Object.assign(state, { now: value, pending: value });
      return 0;
    }
    case 'xc_flask_access': {
      const auditAllow = args[6] as number[];
      auditAllow[0] = xen.policy === 'audited' ? 0xff : 0;
      return 0;
    }
    default:
      throw new Error(`the auditor calls ${name}`);
  }
}

/** Only what is called is there. */
const access = {
  control: 1n,
  libraries: {
    now: (name: string, _control: bigint, ...args: readonly unknown[]) => call(name, args),
    errno: () => xen.errno,
    bytes: (text: string) => Buffer.from(`${text}\0`),
  },
} as unknown as HostAccess;

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const WITNESSES = [{ source: 'a:b:c', target: 'a:b:c', tclass: 1, auditAllow: 0xff }];
const ENDING = { original: base64('plain'), witnesses: WITNESSES };
const begin = (auditor: Auditor, audited = 'audited') => auditor.begin({ audited: base64(audited), ...ENDING });
const NOTHING = { setAgain: [], noLongerPending: [] };

test('the policy is loaded, and put back', () => {
  const auditor = new Auditor(access);
  expect(begin(auditor)).toEqual({ booleans: NOTHING });
  expect(xen.policy).toBe('audited');
  expect(auditor.end(ENDING)).toEqual({ outcome: 'put-back', booleans: NOTHING });
  expect(xen.policy).toBe('plain');
  auditor.abandon();
  expect(xen.policy).toBe('plain');
});

test('when the command is gone, it is put back all the same', () => {
  const auditor = new Auditor(access);
  begin(auditor);
  auditor.abandon();
  expect(xen.policy).toBe('plain');
});

test('what somebody else has loaded meanwhile stays', () => {
  const auditor = new Auditor(access);
  begin(auditor);
  xen.policy = 'another';
  expect(auditor.end(ENDING).outcome).toBe('replaced');
  auditor.abandon();
  expect(xen.policy).toBe('another');
  begin(auditor);
  xen.policy = 'a third';
  auditor.abandon();
  expect(xen.policy).toBe('a third');
});

test('a policy that Xen refuses leaves nothing to put back', () => {
  const auditor = new Auditor(access);
  expect(() => begin(auditor, 'no policy')).toThrow('xc_flask_load');
  auditor.abandon();
  expect(xen.policy).toBe('plain');
});

test('a boolean that a load should change is set again, and one that was pending is told', () => {
  xen.forgets = true;
  xen.booleans['waits'] = { now: 0, pending: 1 };
  const { booleans } = begin(new Auditor(access));
  expect(booleans).toEqual({ setAgain: ['b'], noLongerPending: ['waits'] });
  expect(xen.booleans['b']?.now).toBe(1);
});

test.each(['xc_flask_load', 'xc_flask_access'])('what cannot be put back because of `%s` is tried again', (name) => {
  const auditor = new Auditor(access);
  begin(auditor);
  xen.fails.set(name, 'EACCES');
  expect(() => auditor.end(ENDING)).toThrow(name);
  expect(xen.policy).toBe('audited');
  xen.fails.clear();
  auditor.abandon();
  expect(xen.policy).toBe('plain');
});

test('a policy that has not the labels of the witnesses is another one', () => {
  const auditor = new Auditor(access);
  begin(auditor);
  xen.fails.set('xc_flask_access', 'EINVAL');
  expect(auditor.end(ENDING).outcome).toBe('replaced');
});
