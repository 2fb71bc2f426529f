/**
 * Laws of the security server, on random policies and requests.
 */
import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { RuleTable, readPolicydb } from '../policydb/index.ts';
import { xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { policyText } from './fixtures/policy-text.ts';
import { Avc, PolicyView, SecurityServer } from './index.ts';

const release = xenRelease('4.17');
const DOMAIN = release.classes.find(({ name }) => name === 'domain')?.id ?? 0;
const permissions = ['create', 'destroy', 'pause', 'unpause', 'transition', 'getdomaininfo'];
const domainTypes = ['dom0_t', 'domU_t', 'guest_t', 'domain_type'];
const contexts = [
  'system_u:system_r:dom0_t',
  'everyone:system_r:domU_t',
  'customer_1:vm_r:guest_t',
  'everyone:vm_r:guest_t',
];

const rule = fc
  .tuple(
    fc.constantFrom('allow', 'allow', 'auditallow', 'dontaudit'),
    fc.constantFrom(...domainTypes),
    fc.constantFrom(...domainTypes, 'self'),
    fc.subarray(permissions, { minLength: 1 }),
  )
  .map(([kind, source, target, bits]) => `${kind} ${source} ${target}:domain { ${bits.join(' ')} };`);

const constraint = fc
  .tuple(
    fc.subarray(permissions, { minLength: 1 }),
    fc.constantFrom('u1 == u2', 'r1 == r2', 't1 != guest_t', 'not (u1 == system_u)', 't1 == dom0_t or u1 == u2'),
  )
  .map(([bits, expression]) => `constrain domain { ${bits.join(' ')} } (${expression});`);

interface Made {
  readonly bytes: Uint8Array;
}

/** Policies as binaries; `open` is a boolean of each. */
const policies: fc.Arbitrary<Made> = fc
  .record({
    rules: fc.array(rule, { maxLength: 8 }),
    conditional: fc.array(rule, { maxLength: 4 }),
    constraints: fc.array(constraint, { maxLength: 2 }),
    permissive: fc.subarray(['dom0_t', 'guest_t']),
    roleAllow: fc.boolean(),
  })
  .map(({ rules, conditional, constraints, permissive, roleAllow }) => {
    const text = policyText({
      rules: [
        'bool open false;',
        ...rules,
        `if (open) { ${conditional.join(' ')} }`,
        ...permissive.map((type) => `permissive ${type};`),
        roleAllow ? 'allow system_r vm_r;' : '',
      ].join('\n'),
      constraints: constraints.join('\n'),
    });
    const { bytes, diagnostics } = compileText(new SourceText('random.conf', text));
    if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
    return { bytes };
  });

interface Request {
  readonly source: string;
  readonly target: string;
  readonly bits: number;
}

const request: fc.Arbitrary<Request> = fc
  .tuple(fc.constantFrom(...contexts), fc.constantFrom(...contexts), fc.subarray(permissions, { minLength: 1 }))
  .map(([source, target, names]) => {
    const all = release.classes[DOMAIN - 1]?.permissions ?? [];
    const bits = names.reduce((sum, name) => sum | (1 << all.indexOf(name)), 0) >>> 0;
    return { source, target, bits };
  });

/** What happens on a host, one after the other. */
const events = fc.array(
  fc.oneof({ weight: 8, arbitrary: request }, { weight: 1, arbitrary: fc.constant('toggle' as const) }),
  {
    minLength: 1,
    maxLength: 40,
  },
);

interface Host {
  readonly server: SecurityServer;
  readonly avc: Avc;
  sid(context: string): number;
}

function startHost({ bytes }: Made, isEnforcing: boolean, threshold: number): Host {
  const options = { isEnforcing: () => isEnforcing, log: () => {} };
  const server = new SecurityServer({ release, ...options });
  expect(server.loadPolicy(bytes).kind).toBe('loaded');
  const avc = new Avc(server, options);
  avc.threshold = threshold;
  return {
    server,
    avc,
    sid: (context) => {
      const found = server.contextToSid(context);
      if (found.kind === 'invalid') throw new Error(found.reason.message);
      return found.sid;
    },
  };
}

function toggle({ server }: Host): void {
  server.setBoolean('open', server.booleans()[0]?.value !== true, true);
}

const runs = { numRuns: 60 };

describe('laws', () => {
  test.prop([policies, events, fc.constantFrom(1, 3, 512)], runs)(
    'the cache never changes an answer',
    (policy, list, threshold) => {
      const host = startHost(policy, true, threshold);
      for (const event of list) {
        if (event === 'toggle') {
          toggle(host);
          continue;
        }
        const [source, target] = [host.sid(event.source), host.sid(event.target)];
        const decision = host.server.computeAv(source, target, DOMAIN);
        if (decision === 'EINVAL') throw new Error('the class is known');
        const outcome = host.avc.hasPerm(source, target, DOMAIN, event.bits, { current: 0 });
        const isGranted = decision.permissive || (event.bits & ~decision.allowed) === 0;
        expect(outcome.kind).toBe(isGranted ? 'granted' : 'denied');
      }
    },
  );

  test.prop([policies, events], runs)(
    'permissive and enforcing decide alike, and differ in what passes',
    (policy, list) => {
      const strict = startHost(policy, true, 512);
      const lenient = startHost(policy, false, 512);
      for (const event of list) {
        if (event === 'toggle') {
          toggle(strict);
          toggle(lenient);
          continue;
        }
        const ask = (host: Host): ReturnType<SecurityServer['computeAv']> =>
          host.server.computeAv(host.sid(event.source), host.sid(event.target), DOMAIN);
        expect(ask(lenient)).toEqual(ask(strict));
        const pass = (host: Host): ReturnType<Avc['hasPerm']> =>
          host.avc.hasPerm(host.sid(event.source), host.sid(event.target), DOMAIN, event.bits, { current: 0 });
        const [strictly, leniently] = [pass(strict), pass(lenient)];
        expect(leniently.kind).toBe('granted');
        expect(leniently.missing).toBe(strictly.missing);
      }
    },
  );

  test.prop([policies, request, fc.nat(), fc.boolean()], runs)(
    'removing a rule that allows never grants',
    ({ bytes }, { source, target }, which, isOpen) => {
      const read = readPolicydb(bytes);
      if ('diagnostic' in read) throw new Error(read.diagnostic.message);
      const { policy } = read;
      const fewer = new RuleTable();
      const allowRows = Array.from({ length: policy.rules.length }, (_, row) => row).filter(
        (row) => policy.rules.kind[row] === 1,
      );
      const removed = allowRows[which % allowRows.length];
      for (let row = 0; row < policy.rules.length; row++) if (row !== removed) fewer.pushRow(policy.rules, row);
      const decide = (view: PolicyView): number => {
        view.booleans[1] = isOpen;
        view.applyBooleans();
        const [from, to] = [view.parse(source), view.parse(target)];
        if ('part' in from || 'part' in to) throw new Error('the contexts are valid');
        return view.computeAv(from, to, DOMAIN).allowed;
      };
      const [before, after] = [decide(new PolicyView(policy)), decide(new PolicyView({ ...policy, rules: fewer }))];
      expect((after & ~before) >>> 0).toBe(0);
    },
  );
});
