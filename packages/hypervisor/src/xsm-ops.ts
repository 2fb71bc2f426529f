/**
 * FLASK's own hypercalls.
 *
 * Follows Xen `xen/xsm/flask/flask_op.c`, `do_flask_op`.
 *
 * @module
 */
import type { HypercallName } from '@dewar/toolstack';
import { failed, type Handlers, ok } from './machine.ts';
import { errnoOf } from './memory.ts';

/** XEN: `FLASK_LOAD` refuses a longer policy. */
const POLICY_LIMIT = 0x0400_0000;

type XsmName = Extract<HypercallName, `xsm_op.${string}`>;

/** How each of them is carried out. */
export const XSM_OPS: Handlers<XsmName> = {
  'xsm_op.load_policy': (machine, caller, { bytes }) => {
    const denial = machine.check('xsm_op.load_policy', caller);
    if (denial !== undefined) return failed(errnoOf(denial));
    if (bytes.length > POLICY_LIMIT) return failed('EINVAL');
    const answer = machine.flask.loadPolicy(bytes);
    return answer.kind === 'loaded' ? ok({}) : failed('EINVAL', answer.reason);
  },
  'xsm_op.getenforce': (machine) => ok({ isEnforcing: machine.flask.isEnforcing }),
  'xsm_op.setenforce': (machine, caller, { isEnforcing }) => {
    if (isEnforcing === machine.flask.isEnforcing) return ok({});
    const denial = machine.check('xsm_op.setenforce', caller, { when: 'the value changes' });
    if (denial !== undefined) return failed(errnoOf(denial));
    machine.flask.setEnforcing(isEnforcing);
    return ok({});
  },
  'xsm_op.context_to_sid': (machine, caller, { context }) => {
    const denial = machine.check('xsm_op.context_to_sid', caller);
    if (denial !== undefined) return failed(errnoOf(denial));
    const answer = machine.flask.contextToSid(context);
    return answer.kind === 'sid' ? ok({ sid: answer.sid }) : failed('EINVAL', answer.reason);
  },
  'xsm_op.sid_to_context': (machine, caller, { sid }) => {
    const denial = machine.check('xsm_op.sid_to_context', caller);
    return denial === undefined ? ok({ context: machine.flask.sidToContext(sid) }) : failed(errnoOf(denial));
  },
  'xsm_op.access': (machine, caller, { source, target, tclass }) => {
    const denial = machine.check('xsm_op.access', caller);
    if (denial !== undefined) return failed(errnoOf(denial));
    const decision = machine.flask.computeAv(source, target, tclass);
    return decision === undefined ? failed('EINVAL') : ok(decision);
  },
  'xsm_op.relabel_domain': (machine, caller, { domid, sid }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('xsm_op.relabel_domain', caller, { domain, sids: { 'new label': sid } });
    if (denial !== undefined) return failed(errnoOf(denial));
    domain.sid = sid;
    // XEN: flask_relabel_domain() takes the label itself when the self label cannot be made.
    domain.selfSid = machine.flask.transitionSid(sid, sid, 'domain') ?? sid;
    return ok({});
  },
  'xsm_op.getbools': (machine) => ok({ booleans: machine.flask.booleans() }),
  'xsm_op.setbool': (machine, caller, { name, value, commit }) => {
    const denial = machine.check('xsm_op.setbool', caller);
    if (denial !== undefined) return failed(errnoOf(denial));
    if (!machine.flask.setBoolean(name, value, commit)) return failed('ENOENT');
    return ok({});
  },
  'xsm_op.commitbools': (machine, caller) => {
    const denial = machine.check('xsm_op.commitbools', caller);
    if (denial !== undefined) return failed(errnoOf(denial));
    machine.flask.commitBooleans();
    return ok({});
  },
};
