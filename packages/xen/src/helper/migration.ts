/**
 * Guests that leave for another host, and that come from one, through libxl.
 *
 * @module
 */
import { MigrationChannel } from '../migration/channel.ts';
import { MigrationReceiver, type ReceiverActs } from '../migration/receiver.ts';
import { MigrationSender, type SenderActs } from '../migration/sender.ts';
import { restoreFrom } from './build.ts';
import { configurationOf } from './configuration.ts';
import { domainInfo, domainName, renameDomain } from './domains.ts';
import { type HostAccess, libxl } from './host-access.ts';

/** Where a guest goes out or comes in, and what the other side says to that. The command gives both. */
const [STREAM, ANSWERS] = [4, 5];

/** XEN: `libxl.h`, `LIBXL_SUSPEND_DEBUG`, `LIBXL_SUSPEND_LIVE`. */
const [SUSPEND_DEBUG, SUSPEND_LIVE] = [1, 2];

/** Linux: the halves of a connection, that which is read and that which is written to. */
const [SHUT_RD, SHUT_WR] = [0, 1];

/** Sees to it that nobody waits in a read or a write, and that no program that libxl starts holds the way open. */
function prepareStreams({ libraries, context }: HostAccess): void {
  for (const fd of [STREAM, ANSWERS]) {
    libraries.now('libxl_fd_set_cloexec', context, fd, 1);
    libraries.now('libxl_fd_set_nonblock', context, fd, 1);
  }
}

/** A migration from here. */
export function senderOn(access: HostAccess): MigrationSender {
  const { libraries } = access;
  const acts: SenderActs = {
    configuration: (domid) => configurationOf(access, domid),
    async suspend(domid, isDebugged) {
      const flags = SUSPEND_LIVE | (isDebugged ? SUSPEND_DEBUG : 0);
      await libxl(access, 'libxl_domain_suspend', domid, STREAM, flags, null);
    },
    async isSuspended(domid) {
      const domain = await domainInfo(access, domid);
      return domain?.isShutdown === true && domain.shutdownReason === 'suspend';
    },
    async resume(domid) {
      await libxl(access, 'libxl_domain_resume', domid, 1, null);
    },
    nameOf: (domid) => domainName(access, domid),
    rename: (domid, name) => renameDomain(access, domid, name),
    async destroy(domid) {
      await libxl(access, 'libxl_domain_destroy', domid, null);
    },
    closeStream: () => void libraries.now('shutdown', STREAM, SHUT_WR),
  };
  prepareStreams(access);
  return new MigrationSender(acts, new MigrationChannel(ANSWERS, STREAM, 'receiver'));
}

/** A migration to here. */
export function receiverOn(access: HostAccess): MigrationReceiver {
  const acts: ReceiverActs = {
    restore: (json) => restoreFrom(access, STREAM, json),
    rename: (domid, name) => renameDomain(access, domid, name),
    async unpause(domid) {
      await libxl(access, 'libxl_domain_unpause', domid, null);
    },
    async destroy(domid) {
      await libxl(access, 'libxl_domain_destroy', domid, null);
    },
    closeStream: () => void access.libraries.now('shutdown', STREAM, SHUT_RD),
  };
  prepareStreams(access);
  return new MigrationReceiver(acts, new MigrationChannel(STREAM, ANSWERS, 'sender'));
}
