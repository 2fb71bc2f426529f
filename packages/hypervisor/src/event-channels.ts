/**
 * Event channels. Each has a label of its own, computed when it is made and never again.
 *
 * Follows Xen `xen/common/event_channel.c` and `xen/xsm/flask/hooks.c`, `flask_evtchn_unbound`,
 * `flask_evtchn_interdomain`.
 *
 * @module
 */
import type { HypercallName, Port } from '@dewar/toolstack';
import { type Domain, type EventChannel, PORT_LIMIT } from './domain.ts';
import { failed, type Handlers, ok } from './machine.ts';
import { errnoOf } from './on-domain.ts';

type EventName = Extract<HypercallName, `event_channel_op.${string}`>;

/** Makes a port, the lowest that is free; undefined when there are too many. XEN: `get_free_port`. */
export function addChannel(domain: Domain, channel: Omit<EventChannel, 'port'>): Port | undefined {
  // `nextPort` is never above a free one.
  while (domain.eventChannels.has(domain.nextPort as Port)) domain.nextPort++;
  if (domain.nextPort >= PORT_LIMIT) return undefined;
  // Ports are numbered here and nowhere else.
  const port = domain.nextPort++ as Port;
  domain.eventChannels.set(port, { port, ...channel });
  return port;
}

/** How each of them is carried out. */
export const EVENT_CHANNEL_OPS: Handlers<EventName> = {
  'event_channel_op.alloc_unbound': (machine, caller, { domid, remote }) => {
    const owner = machine.domain(domid);
    if (owner === undefined) return failed('ESRCH');
    const other = machine.domain(remote);
    if (other === undefined) return failed('EPERM');
    const remoteSid = machine.targetSid(owner, other);
    const sid = machine.flask.transitionSid(owner.sid, remoteSid, 'event');
    if (sid === undefined) return failed('EACCES', 'the label of the new event channel is not valid');
    const denial = machine.check('event_channel_op.alloc_unbound', caller, {
      domain: owner,
      sids: { 'new port': sid, remote: remoteSid },
    });
    if (denial !== undefined) return failed(errnoOf(denial));
    const port = addChannel(owner, { sid, status: 'unbound', remote, remotePort: undefined });
    return port === undefined ? failed('ENOMEM') : ok({ port });
  },
  'event_channel_op.bind_interdomain': (machine, caller, { remote, remotePort }) => {
    const other = machine.domain(remote);
    if (other === undefined) return failed('ESRCH');
    const far = other.eventChannels.get(remotePort);
    if (far?.status !== 'unbound' || far.remote !== caller.domid) return failed('EINVAL');
    const remoteSid = machine.targetSid(caller, other);
    const sid = machine.flask.transitionSid(caller.sid, remoteSid, 'event');
    if (sid === undefined) return failed('EACCES', 'the label of the new event channel is not valid');
    const denial = machine.check('event_channel_op.bind_interdomain', caller, {
      domain: other,
      sids: {
        'new port': sid,
        remote: remoteSid,
        'remote port': far.sid,
        'owner as seen by remote': machine.targetSid(other, caller),
      },
    });
    if (denial !== undefined) return failed(errnoOf(denial));
    const port = addChannel(caller, { sid, status: 'interdomain', remote, remotePort });
    if (port === undefined) return failed('ENOMEM');
    far.status = 'interdomain';
    far.remotePort = port;
    return ok({ port });
  },
  'event_channel_op.send': (machine, caller, { port }) => {
    const channel = caller.eventChannels.get(port);
    if (channel === undefined) return failed('EINVAL');
    const denial = machine.check('event_channel_op.send', caller, {
      sids: { port: channel.sid },
      when: channel.status === 'interdomain' ? 'interdomain port' : 'always',
    });
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
  'event_channel_op.status': (machine, caller, { domid, port }) => {
    const owner = machine.domain(domid);
    if (owner === undefined) return failed('ESRCH');
    const channel = owner.eventChannels.get(port);
    const sid = channel?.sid ?? machine.flask.initialSid('unlabeled');
    const denial = machine.check('event_channel_op.status', caller, { domain: owner, sids: { port: sid } });
    return denial === undefined ? ok({ status: channel?.status ?? 'closed' }) : failed(errnoOf(denial));
  },
  'event_channel_op.close': (machine, caller, { port }) => {
    const channel = caller.eventChannels.get(port);
    if (channel === undefined) return failed('EINVAL');
    const peer = channel.remote === undefined ? undefined : machine.domain(channel.remote);
    const far = channel.remotePort === undefined ? undefined : peer?.eventChannels.get(channel.remotePort);
    if (far !== undefined) {
      far.status = 'unbound';
      far.remotePort = undefined;
    }
    caller.eventChannels.delete(port);
    caller.nextPort = Math.min(caller.nextPort, port);
    return ok({});
  },
};
