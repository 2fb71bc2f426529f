/**
 * Device models: domains or programs that stand for the hardware of an HVM guest.
 *
 * Follows Xen `xen/common/domctl.c`, `XEN_DOMCTL_set_target`, `xen/common/dm.c`, `do_dm_op`, `xen/common/ioreq.c`.
 *
 * @module
 */
import type { Domid, HypercallName, HypercallResult, Port } from '@dewar/toolstack';
import type { Domain, IoreqServer } from './domain.ts';
import { addChannel } from './event-channels.ts';
import { failed, type Handlers, type Machine, ok } from './machine.ts';
import { errnoOf, onDomain } from './on-domain.ts';

/** Ioreq servers of one domain. XEN: `MAX_NR_IOREQ_SERVERS`. */
const SERVER_LIMIT = 8;

export type DeviceModelName = Extract<
  HypercallName,
  `dm_op.${string}` | 'domctl.set_target' | 'domctl.set_virq_handler' | 'sched_op.remote_shutdown'
>;

/** XEN: `flask_set_target`; the new label is that of the target by nature, with the device model as its object. */
function setTarget(
  machine: Machine,
  caller: Domain,
  domid: Domid,
  targetDomid: Domid,
): HypercallResult<'domctl.set_target'> {
  const model = machine.domain(domid);
  const target = machine.domain(targetDomid);
  if (model === undefined || target === undefined) return failed('ESRCH');
  if (model === target || model.target !== undefined) return failed('EINVAL');
  if (!target.isHvm) return failed('EOPNOTSUPP', 'only an HVM container can have a device model');
  const entry = machine.check('domctl.set_target', caller, { domain: model });
  if (entry !== undefined) return failed(errnoOf(entry));
  const sids = { 'device model': model.sid };
  const hook = machine.check('domctl.set_target', caller, { domain: target, stage: 'hook', sids });
  if (hook !== undefined) return failed(errnoOf(hook));
  const sid = machine.flask.isDisabled ? 0 : machine.flask.transitionSid(target.sid, model.sid, 'domain');
  if (sid === undefined)
    return failed('EACCES', 'the label of the target in the eyes of its device model is not valid');
  model.targetSid = sid;
  model.target = targetDomid;
  return ok({});
}

/** XEN: `hvm_create_ioreq_server`: a channel for each vCPU and one for the buffered page, between guest and caller. */
function createServer(machine: Machine, caller: Domain, domain: Domain): HypercallResult<'dm_op.create_ioreq_server'> {
  const id = [...Array(SERVER_LIMIT).keys()].find((free) => domain.ioreqServers.every((one) => one.id !== free));
  if (id === undefined) return failed('ENOMEM');
  const ports: Port[] = [];
  for (let i = 0; i <= domain.vcpuCount; i++) {
    const remote = machine.targetSid(domain, caller);
    const sid = machine.flask.transitionSid(domain.sid, remote, 'event');
    if (sid === undefined) return failed('EACCES', 'the label of the new event channel is not valid');
    const sids = { 'new port': sid, remote };
    const denial = machine.check('dm_op.create_ioreq_server', caller, { domain, stage: 'hook', sids });
    const port =
      denial === undefined
        ? addChannel(domain, { sid, status: 'unbound', remote: caller.domid, remotePort: undefined })
        : undefined;
    if (port === undefined) {
      for (const made of ports) domain.eventChannels.delete(made);
      return failed(denial === undefined ? 'ENOMEM' : errnoOf(denial));
    }
    ports.push(port);
  }
  domain.ioreqServers.push({ id, emulator: caller.domid, ports, isEnabled: false });
  return ok({ server: id });
}

/** Makes the check of a device model, and then works on one of the servers that the caller made. */
function onServer<N extends DeviceModelName>(
  name: N,
  machine: Machine,
  caller: Domain,
  { domid, server }: { readonly domid: Domid; readonly server: number },
  work: (server: IoreqServer, domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  return onContainer(name, machine, caller, domid, (domain) => {
    const found = domain.ioreqServers.find(({ id }) => id === server);
    if (found === undefined) return failed('ENOENT');
    return found.emulator === caller.domid ? work(found, domain) : failed('EPERM');
  });
}

/** XEN: `dm_op`, which knows no other than HVM containers. */
function onContainer<N extends DeviceModelName>(
  name: N,
  machine: Machine,
  caller: Domain,
  domid: Domid,
  work: (domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  const domain = machine.domain(domid);
  if (domain === undefined) return failed('ESRCH');
  if (domain === caller) return failed('EPERM');
  if (!domain.isHvm) return failed('EINVAL');
  return onDomain(name, machine, caller, domid, work);
}

/** How each of them is carried out. */
export const DEVICE_MODEL_OPS: Handlers<DeviceModelName> = {
  'domctl.set_target': (machine, caller, { domid, target }) => setTarget(machine, caller, domid, target),
  'domctl.set_virq_handler': (machine, caller, { domid }) =>
    // Who acts on the interrupt is the toolstack's to play; here it is only asked whether that may change.
    onDomain('domctl.set_virq_handler', machine, caller, domid, () => {
      // XEN: domain_init_states(), when the new handler binds the interrupt.
      for (const other of machine.state.domains.keys()) machine.markChanged(other);
      return ok({});
    }),
  'dm_op.create_ioreq_server': (machine, caller, { domid }) =>
    onContainer('dm_op.create_ioreq_server', machine, caller, domid, (domain) => createServer(machine, caller, domain)),
  'dm_op.get_ioreq_server_info': (machine, caller, args) =>
    onServer('dm_op.get_ioreq_server_info', machine, caller, args, ({ ports }) => ok({ ports })),
  'dm_op.set_ioreq_server_state': (machine, caller, args) =>
    onServer('dm_op.set_ioreq_server_state', machine, caller, args, (server) => {
      server.isEnabled = args.isEnabled;
      return ok({});
    }),
  'dm_op.map_io_range_to_ioreq_server': (machine, caller, args) =>
    onServer('dm_op.map_io_range_to_ioreq_server', machine, caller, args, () => ok({})),
  'dm_op.destroy_ioreq_server': (machine, caller, args) =>
    onServer('dm_op.destroy_ioreq_server', machine, caller, args, (server, domain) => {
      domain.ioreqServers.splice(domain.ioreqServers.indexOf(server), 1);
      for (const port of server.ports) domain.eventChannels.delete(port);
      return ok({});
    }),
  'dm_op.set_isa_irq_level': (machine, caller, { domid }) =>
    onContainer('dm_op.set_isa_irq_level', machine, caller, domid, () => ok({})),
  'dm_op.set_pci_link_route': (machine, caller, { domid }) =>
    onContainer('dm_op.set_pci_link_route', machine, caller, domid, () => ok({})),
  'dm_op.track_dirty_vram': (machine, caller, { domid }) =>
    onContainer('dm_op.track_dirty_vram', machine, caller, domid, () => ok({})),
  'dm_op.modified_memory': (machine, caller, { domid }) =>
    onContainer('dm_op.modified_memory', machine, caller, domid, () => ok({})),
  'sched_op.remote_shutdown': (machine, caller, { domid, reason }) =>
    onDomain('sched_op.remote_shutdown', machine, caller, domid, (domain) => {
      // XEN: domain_shutdown() keeps the first reason, and tells that something happened.
      if (domain.shutdownReason === undefined) {
        domain.shutdownReason = reason;
        machine.tellOfChange(domid);
      }
      return ok({});
    }),
};
