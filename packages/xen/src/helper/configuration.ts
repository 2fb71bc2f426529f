/**
 * The configuration of a domain as it stands.
 *
 * Follows Xen `tools/xl/xl_info.c`, `list_domains_details`.
 *
 * @module
 */
import { CallFault } from '../call-fault.ts';
import { type HostAccess, libxl } from './host-access.ts';

/** What libxl has stored, with what was changed since, as the JSON of `libxl_domain_config`. */
export async function configurationOf(access: HostAccess, domid: number): Promise<string> {
  const { libraries, context } = access;
  const config = libraries.structure('libxl_domain_config_init');
  try {
    await libxl(access, 'libxl_retrieve_domain_configuration', domid, config, null);
    const text = libraries.takeText(libraries.now('libxl_domain_config_to_json', context, config));
    if (text === undefined) throw new CallFault({ kind: 'libxl', call: 'libxl_domain_config_to_json', rc: -3 });
    return text;
  } finally {
    libraries.now('libxl_domain_config_dispose', config);
  }
}
