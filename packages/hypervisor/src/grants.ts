/**
 * Grant tables: pages that a domain lets another one map.
 *
 * Follows Xen `xen/common/grant_table.c`. A status of a single operation comes back as an errno.
 *
 * @module
 */
import type { HypercallName } from '@dewar/toolstack';
import { GRANT_LIMIT, GRANT_TABLE_FRAME, hasFrames, mappingsOf } from './domain.ts';
import { failed, type Handlers, ok } from './machine.ts';
import { addMapping } from './memory.ts';
import { errnoOf } from './on-domain.ts';

type GrantName = Extract<HypercallName, `grant_table_op.${string}` | `grant_table.${string}`>;

function isRef(ref: number): boolean {
  return Number.isInteger(ref) && ref >= 0 && ref < GRANT_LIMIT;
}

/** How each of them is carried out. */
export const GRANT_OPS: Handlers<GrantName> = {
  'grant_table.seed': (machine, caller, { domid, mapping, ref, frame, to }) => {
    const domain = machine.domain(domid);
    const open = machine.state.mappings.look(mapping);
    const isTable =
      open?.owner === domid &&
      open.mapper.domid === caller.domid &&
      open.isWritable &&
      open.frames.first === GRANT_TABLE_FRAME;
    if (domain === undefined || !isTable) return failed('EINVAL');
    if (!isRef(ref) || !hasFrames(domain, { first: frame, count: 1 })) return failed('EINVAL');
    domain.grants.set(ref, { ref, frame, to });
    return ok({});
  },
  'grant_table.grant': (_machine, caller, { ref, frame, to }) => {
    if (!isRef(ref) || !hasFrames(caller, { first: frame, count: 1 })) return failed('EINVAL');
    caller.grants.set(ref, { ref, frame, to });
    return ok({});
  },
  'grant_table.end': (machine, caller, { ref }) => {
    // XEN: GTF_reading and GTF_writing, which Xen sets in an entry that is mapped.
    const isMapped = [...mappingsOf(machine.state, caller.domid)].some(
      ({ kind, ref: mapped }) => kind === 'grant' && mapped === ref,
    );
    if (isMapped) return failed('EBUSY');
    caller.grants.delete(ref);
    return ok({});
  },
  'grant_table_op.map_grant_ref': (machine, caller, { granter, ref, isWritable }, actor) => {
    const domain = machine.domain(granter);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('grant_table_op.map_grant_ref', caller, {
      domain,
      when: isWritable ? 'writable' : 'read-only',
    });
    if (denial !== undefined) return failed(errnoOf(denial));
    const grant = domain.grants.get(ref);
    if (grant === undefined || grant.to !== caller.domid || domain.life !== 'alive') {
      return failed('EINVAL', 'the grant entry names no page for this domain');
    }
    const handle = addMapping(machine, {
      kind: 'grant',
      owner: granter,
      frames: { first: grant.frame, count: 1 },
      mapper: actor,
      isWritable,
      ref,
      labelWhenMapped: machine.flask.sidToContext(domain.sid),
    });
    return handle === undefined ? failed('ENOMEM') : ok({ mapping: handle });
  },
  'grant_table_op.unmap_grant_ref': (machine, caller, { mapping }) => {
    const open = machine.state.mappings.look(mapping);
    if (open?.kind !== 'grant' || open.mapper.domid !== caller.domid) return failed('EINVAL');
    const domain = machine.domain(open.owner);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('grant_table_op.unmap_grant_ref', caller, { domain });
    if (denial !== undefined) return failed(errnoOf(denial));
    machine.dropMapping(mapping);
    return ok({});
  },
  'grant_table_op.query_size': (machine, caller, { domid }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('grant_table_op.query_size', caller, { domain });
    return denial === undefined ? ok({ frames: 1 }) : failed(errnoOf(denial));
  },
  'grant_table_op.setup_table': (machine, caller, { domid }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('grant_table_op.setup_table', caller, { domain });
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
};
