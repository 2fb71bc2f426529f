/**
 * FLASK's own hypercalls: every sub-operation.
 *
 * Follows Xen `xen/xsm/flask/flask_op.c`, `do_flask_op`.
 *
 * @module
 */
import { DOMID_SELF, type HypercallArgs, type HypercallName, type HypercallResult } from '@dewar/toolstack';
import type { Domain } from './domain.ts';
import { type Binding, failed, type Handlers, HOST_CPUS, type Machine, ok } from './machine.ts';
import { errnoOf } from './on-domain.ts';

/** XEN: `FLASK_LOAD` refuses a longer policy. */
const POLICY_LIMIT = 0x0400_0000;

/** XEN: `safe_copy_string_from_guest` takes no more than a page. */
const STRING_LIMIT = 4096;

/** XEN: the counters are those of each CPU; all hypercalls of the simulation are made on this one. */
const BUSY_CPU = 0;

const U32_LIMIT = 0x1_0000_0000;

type XsmName = Extract<HypercallName, `xsm_op.${string}`>;

/** Makes the checks, then works. */
function checked<N extends XsmName>(
  name: N,
  machine: Machine,
  caller: Domain,
  work: () => HypercallResult<N>,
  binding: Binding = {},
): HypercallResult<N> {
  const denial = machine.check(name, caller, binding);
  return denial === undefined ? work() : failed(errnoOf(denial));
}

/** Whether Xen does not take over a text. 4.3 takes one of any length. */
function isTooLong(machine: Machine, text: string): boolean {
  return text.length > STRING_LIMIT && !machine.behaviour.takesLongTexts;
}

/** What a computed label comes back as. */
function newSid(answer: number | 'EACCES' | 'EINVAL'): HypercallResult<'xsm_op.create'> {
  return typeof answer === 'number' ? ok({ sid: answer }) : failed(answer);
}

/** A class number as Xen takes it over. XEN: `tclass` is cut to 16 bits on its way to the security server. */
function classNumber(tclass: number): number {
  return tclass & 0xffff;
}

/** The name of the boolean that is meant. XEN: `flask_security_resolve_bool`. */
function booleanName(
  machine: Machine,
  choice: HypercallArgs<'xsm_op.getbool'>,
): { readonly name: string } | 'ENOBUFS' | 'ENOENT' {
  if (!('name' in choice)) {
    const found = machine.flask.booleans()[choice.id];
    return found === undefined ? 'ENOENT' : { name: found.name };
  }
  if (isTooLong(machine, choice.name)) return 'ENOBUFS';
  return { name: choice.name };
}

/** How each of them is carried out. */
export const XSM_OPS: Handlers<XsmName> = {
  'xsm_op.load_policy': (machine, caller, { bytes }) =>
    checked('xsm_op.load_policy', machine, caller, () => {
      if (bytes.length > POLICY_LIMIT) return failed('EINVAL');
      const { flask } = machine;
      const isReload = flask.server.isLoaded;
      const answer = flask.loadPolicy(bytes);
      if (answer.kind === 'refused') return failed('EINVAL', answer.reason);
      if (!isReload && machine.behaviour.tellsOfPolicy) {
        machine.log(
          `(XEN) Flask: Policy loaded, continuing in ${flask.isEnforcing ? 'enforcing' : 'permissive'} mode.`,
        );
      }
      return ok({});
    }),
  'xsm_op.getenforce': (machine) => ok({ isEnforcing: machine.flask.isEnforcing }),
  'xsm_op.setenforce': (machine, caller, { isEnforcing }) => {
    if (isEnforcing === machine.flask.isEnforcing) return ok({});
    const work = (): HypercallResult<'xsm_op.setenforce'> => {
      machine.flask.setEnforcing(isEnforcing);
      return ok({});
    };
    return checked('xsm_op.setenforce', machine, caller, work, { when: 'the value changes' });
  },
  'xsm_op.context_to_sid': (machine, caller, { context }) =>
    checked('xsm_op.context_to_sid', machine, caller, () => {
      if (isTooLong(machine, context)) return failed('ENOBUFS', 'the label is longer than a page');
      const answer = machine.flask.contextToSid(context);
      return answer.kind === 'sid' ? ok({ sid: answer.sid }) : failed('EINVAL', answer.reason);
    }),
  'xsm_op.sid_to_context': (machine, caller, { sid, size = STRING_LIMIT }) =>
    checked('xsm_op.sid_to_context', machine, caller, () => {
      const { flask } = machine;
      if (!flask.server.hasContext(sid)) return failed('EINVAL');
      const context = flask.sidToContext(sid);
      // XEN: the size that would do is not given back with the error.
      return context.length + 1 > size ? failed('ERANGE') : ok({ context, size: context.length + 1 });
    }),
  'xsm_op.access': (machine, caller, { source, target, tclass }) =>
    checked('xsm_op.access', machine, caller, () => {
      const decision = machine.flask.computeAv(source, target, classNumber(tclass));
      return decision === undefined ? failed('EINVAL') : ok(decision);
    }),
  'xsm_op.create': (machine, caller, { source, target, tclass }) =>
    checked('xsm_op.create', machine, caller, () =>
      newSid(machine.flask.server.transitionSid(source, target, classNumber(tclass))),
    ),
  'xsm_op.relabel': (machine, caller, { source, target, tclass }) =>
    checked('xsm_op.relabel', machine, caller, () =>
      newSid(machine.flask.server.changeSid(source, target, classNumber(tclass))),
    ),
  'xsm_op.member': (machine, caller, { source, target, tclass }) =>
    checked('xsm_op.member', machine, caller, () =>
      newSid(machine.flask.server.memberSid(source, target, classNumber(tclass))),
    ),
  // XEN: gone since 4.8. 4.3 has it, with a check and an answer that no tool of Xen's asks for.
  'xsm_op.user': (machine, caller) =>
    checked('xsm_op.user', machine, caller, () =>
      failed('ENOSYS', 'the labels that a user can reach are not computed here'),
    ),
  'xsm_op.policyvers': (machine) => ok({ version: machine.flask.server.release.newestPolicyVersion }),
  'xsm_op.mls': (machine) => ok({ isMls: machine.flask.server.policy?.isMls === true }),
  'xsm_op.disable': (machine) => {
    const { flask, behaviour } = machine;
    if (!behaviour.canDisable) return failed('ENOSYS');
    if (flask.server.isLoaded) return failed('EINVAL');
    machine.log('(XEN) Flask:  Disabled at runtime.');
    flask.switchOff();
    return ok({});
  },
  'xsm_op.getavc_threshold': (machine) => ok({ threshold: machine.flask.avc.threshold }),
  'xsm_op.setavc_threshold': (machine, caller, { threshold }) => {
    const { avc } = machine.flask;
    if (!Number.isInteger(threshold) || threshold < 0 || threshold >= U32_LIMIT) return failed('EINVAL');
    if (threshold === avc.threshold) return ok({});
    const work = (): HypercallResult<'xsm_op.setavc_threshold'> => {
      avc.threshold = threshold;
      return ok({});
    };
    return checked('xsm_op.setavc_threshold', machine, caller, work, { when: 'the value changes' });
  },
  'xsm_op.avc_hashstats': (machine) => ok(machine.flask.avc.hashStats()),
  'xsm_op.avc_cachestats': (machine, _caller, { cpu }) => {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= HOST_CPUS) return failed('ENOENT');
    const none = { lookups: 0, hits: 0, misses: 0, allocations: 0, reclaims: 0, frees: 0 };
    return ok(cpu === BUSY_CPU ? machine.flask.avc.cacheStats() : none);
  },
  'xsm_op.add_ocontext': (machine, caller, { kind, low, high, sid }) => {
    if (low > high) return failed('EINVAL');
    return checked('xsm_op.add_ocontext', machine, caller, () => {
      const errno = machine.flask.addObjectLabel(kind, low, high, sid);
      return errno === undefined ? ok({}) : failed(errno);
    });
  },
  'xsm_op.del_ocontext': (machine, caller, { kind, low, high }) => {
    if (low > high) return failed('EINVAL');
    return checked('xsm_op.del_ocontext', machine, caller, () => {
      const errno = machine.flask.server.removeObjectLabel(kind, low, high);
      return errno === undefined ? ok({}) : failed(errno);
    });
  },
  'xsm_op.get_peer_sid': (machine, caller, { port }) => {
    const channel = caller.eventChannels.get(port);
    const peer = channel?.remote === undefined ? undefined : machine.domain(channel.remote);
    return channel?.status === 'interdomain' && peer !== undefined ? ok({ sid: peer.sid }) : failed('EINVAL');
  },
  'xsm_op.relabel_domain': (machine, caller, { domid, sid }) => {
    const isSelf = domid === DOMID_SELF;
    const domain = isSelf ? caller : machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const work = (): HypercallResult<'xsm_op.relabel_domain'> => {
      domain.sid = sid;
      // XEN: flask_relabel_domain() takes the label itself when the self label cannot be made.
      domain.selfSid = machine.flask.transitionSid(sid, sid, 'domain') ?? sid;
      // A device model sees its target anew. A target that is relabelled does not change in its device model's eyes.
      const target = domain.target === undefined ? undefined : machine.domain(domain.target);
      if (target !== undefined) {
        domain.targetSid = machine.flask.transitionSid(target.sid, sid, 'domain') ?? domain.targetSid;
      }
      return ok({});
    };
    return checked('xsm_op.relabel_domain', machine, caller, work, {
      domain,
      sids: { 'new label': sid },
      when: isSelf ? 'named as self' : 'named by number',
    });
  },
  'xsm_op.devicetree_label': (machine, caller, { path, sid }) => {
    const work = (): HypercallResult<'xsm_op.devicetree_label'> => {
      if (isTooLong(machine, path)) return failed('ENOBUFS');
      const errno = machine.flask.setDeviceTreeLabel(path, sid);
      return errno === undefined ? ok({}) : failed(errno);
    };
    const when = sid === 0 ? 'a label is taken' : 'a label is given';
    return checked('xsm_op.devicetree_label', machine, caller, work, { when });
  },
  'xsm_op.getbool': (machine, _caller, choice) => {
    const resolved = booleanName(machine, choice);
    if (typeof resolved === 'string') return failed(resolved);
    const { name } = resolved;
    const state = machine.flask.booleans().find((one) => one.name === name);
    if (state === undefined) return failed('ENOENT');
    const isTooLong = choice.size !== undefined && name.length > choice.size;
    return isTooLong ? failed('ERANGE') : ok(state);
  },
  'xsm_op.setbool': (machine, caller, { value, commit, ...choice }) =>
    checked('xsm_op.setbool', machine, caller, () => {
      const resolved = booleanName(machine, choice);
      const name = typeof resolved === 'string' ? undefined : resolved.name;
      if (name === undefined || !machine.flask.setBoolean(name, value, commit)) {
        // XEN: flask_security_set_bool() of 4.3 has no error for a boolean that is none, as long as it is only noted.
        if (!commit && machine.behaviour.overlooksNoBoolean) return ok({ enforcing: false, pending: false });
        return failed(typeof resolved === 'string' ? resolved : 'ENOENT');
      }
      const state = machine.flask.booleans().find((one) => one.name === name);
      return state === undefined ? failed('ENOENT') : ok({ enforcing: state.enforcing, pending: state.pending });
    }),
  'xsm_op.commitbools': (machine, caller) =>
    checked('xsm_op.commitbools', machine, caller, () => {
      machine.flask.commitBooleans();
      return ok({});
    }),
};
