/**
 * Domains through libxl: looked at, paused, ended, asked.
 *
 * @module
 */
import { statSync } from 'node:fs';
import { CallFault } from '../call-fault.ts';
import type { HelperCalls, LibxlDomain } from '../protocol.ts';
import { type HostAccess, libxl, numberIn, structureJson, textIn } from './host-access.ts';

/** libxl's number for "no such domain". XEN: `ERROR_DOMAIN_NOTFOUND`. */
const DOMAIN_NOTFOUND = -21;

type Members = Readonly<Record<string, unknown>>;

function describe(members: Members, name: string | undefined): LibxlDomain {
  return {
    domid: numberIn(members, 'domid'),
    name,
    uuid: textIn(members, 'uuid') ?? '00000000-0000-0000-0000-000000000000',
    label: textIn(members, 'ssid_label'),
    isRunning: members['running'] === true,
    isBlocked: members['blocked'] === true,
    isPaused: members['paused'] === true,
    isShutdown: members['shutdown'] === true,
    isDying: members['dying'] === true,
    shutdownReason: members['shutdown'] === true ? (textIn(members, 'shutdown_reason') ?? 'poweroff') : undefined,
    memoryKib: numberIn(members, 'current_memkb') + numberIn(members, 'outstanding_memkb'),
    cpuSeconds: numberIn(members, 'cpu_time') / 1e9,
    vcpusOnline: numberIn(members, 'vcpu_online'),
  };
}

/** The name in xenstore. Domain 0 has one as soon as dom0 is set up. */
export async function domainName({ libraries, context }: HostAccess, domid: number): Promise<string | undefined> {
  return libraries.takeText(await libraries.later('libxl_domid_to_name', context, domid));
}

/** All domains that dom0 may see. */
export async function listDomains(access: HostAccess): Promise<readonly LibxlDomain[]> {
  const { libraries, context } = access;
  const count = [0];
  const list = await libraries.later('libxl_list_domain', context, count);
  if (typeof list !== 'bigint' || list === 0n)
    throw new CallFault({ kind: 'libxl', call: 'libxl_list_domain', rc: -3 });
  const [length = 0] = count;
  const stride = BigInt(libraries.sizeOf('libxl_dominfo_init'));
  const members: Members[] = [];
  for (let i = 0n; i < BigInt(length); i++)
    members.push(structureJson(access, 'libxl_dominfo_to_json', list + i * stride));
  libraries.now('libxl_dominfo_list_free', list, length);
  const domains: LibxlDomain[] = [];
  for (const one of members) domains.push(describe(one, await domainName(access, numberIn(one, 'domid'))));
  return domains;
}

/** One domain. */
export async function domainInfo(access: HostAccess, domid: number): Promise<LibxlDomain | undefined> {
  const { libraries, context } = access;
  const info = libraries.structure('libxl_dominfo_init');
  const rc = Number(await libraries.later('libxl_domain_info', context, info, domid));
  if (rc === DOMAIN_NOTFOUND) return undefined;
  if (rc < 0) throw new CallFault({ kind: 'libxl', call: 'libxl_domain_info', rc });
  const members = structureJson(access, 'libxl_dominfo_to_json', info);
  libraries.now('libxl_dominfo_dispose', info);
  return describe(members, await domainName(access, domid));
}

/** The number of the domain that a person names. */
export async function findDomain(access: HostAccess, text: string): Promise<{ readonly domid: number }> {
  const domid = [0];
  await libxl(access, 'libxl_domain_qualifier_to_domid', access.libraries.bytes(text), domid);
  return { domid: domid[0] ?? 0 };
}

/** Writes the core of a domain to a file. */
export async function dumpCore(
  access: HostAccess,
  { domid, file }: HelperCalls['domain.dumpCore']['params'],
): Promise<{ readonly bytes: number }> {
  await libxl(access, 'libxl_domain_core_dump', domid, Buffer.from(`${file}\0`), null);
  return { bytes: statSync(file).size };
}

/** Gives a domain another name. XEN: xl does not insist on the old one. */
export async function renameDomain(access: HostAccess, domid: number, name: string): Promise<void> {
  await libxl(access, 'libxl_domain_rename', domid, null, access.libraries.bytes(name));
}
