/**
 * FLASK's own hypercalls through libxenctrl.
 *
 * Follows: Xen `tools/libs/ctrl/xc_flask.c`.
 *
 * @module
 */
import type { BooleanState } from '@dewar/toolstack';
import { CallFault } from '../call-fault.ts';
import type { HelperCalls } from '../protocol.ts';
import { type HostAccess, xenctrl } from './host-access.ts';

/** Room for a context or a name; Xen takes and gives at most a page. */
const TEXT_ROOM = 4096;
/** No policy has as many booleans. */
const BOOLEAN_LIMIT = 65536;

/** Text out of a buffer, up to its first NUL. */
function textOf(buffer: Buffer): string {
  const end = buffer.indexOf(0);
  return buffer.toString('latin1', 0, end === -1 ? buffer.length : end);
}

/** The SID of a context. */
export function contextToSid(access: HostAccess, context: string): number {
  const sid = [0];
  const text = access.libraries.bytes(context);
  xenctrl(access, 'xc_flask_context_to_sid', text, text.length - 1, sid);
  return sid[0] ?? 0;
}

/** The context of a SID. */
export function sidToContext(access: HostAccess, sid: number): string {
  const room = Buffer.alloc(TEXT_ROOM);
  xenctrl(access, 'xc_flask_sid_to_context', sid, room, room.length);
  return textOf(room);
}

/** Labels a resource. XEN: libxenctrl asks for the SID of the label each time. */
export function labelResource(
  access: HostAccess,
  { kind, low, high, label }: HelperCalls['flask.label']['params'],
): void {
  const context = access.libraries.bytes(label);
  if (kind === 'pcidevice') xenctrl(access, 'xc_flask_add_device', low, context);
  else if (kind === 'pirq') xenctrl(access, 'xc_flask_add_pirq', low, context);
  else xenctrl(access, `xc_flask_add_${kind}`, low, high, context);
}

/** Gives a domain another label. */
export function relabel(access: HostAccess, domid: number, label: string): void {
  xenctrl(access, 'xc_flask_relabel_domain', domid, contextToSid(access, label));
}

/** Whether FLASK is enforcing. */
export function getenforce(access: HostAccess): boolean {
  return xenctrl(access, 'xc_flask_getenforce') !== 0;
}

/** The booleans, from number to number until there is none. */
export function listBooleans(access: HostAccess): readonly BooleanState[] {
  const booleans: BooleanState[] = [];
  for (let id = 0; id < BOOLEAN_LIMIT; id++) {
    const name = Buffer.alloc(TEXT_ROOM);
    const now = [0];
    const pending = [0];
    try {
      xenctrl(access, 'xc_flask_getbool_byid', id, name, name.length, now, pending);
    } catch (error) {
      if (error instanceof CallFault && error.failure.kind === 'errno' && error.failure.errno === 'ENOENT') break;
      throw error;
    }
    booleans.push({ name: textOf(name), enforcing: now[0] === 1, pending: pending[0] === 1 });
  }
  return booleans;
}

/** Sets a boolean, at once. */
export function setBoolean(access: HostAccess, name: string, value: boolean): void {
  xenctrl(access, 'xc_flask_setbool', access.libraries.bytes(name), value ? 1 : 0, 1);
}

/** Puts another policy into force. */
export function loadPolicy(access: HostAccess, base64: string): void {
  const bytes = Buffer.from(base64, 'base64');
  xenctrl(access, 'xc_flask_load', bytes, bytes.length);
}

/** What the loaded policy decides. Nothing is requested, so that each question has an answer. */
export function decide(
  access: HostAccess,
  { questions }: HelperCalls['flask.access']['params'],
): HelperCalls['flask.access']['result'] {
  const { bytes } = access.libraries;
  return questions.map(({ source, target, tclass }) => {
    const [allowed, decided, auditAllow, auditDeny, seqno] = [[0], [0], [0], [0], [0]];
    const labels = [bytes(source), bytes(target)];
    xenctrl(access, 'xc_flask_access', ...labels, tclass, 0, allowed, decided, auditAllow, auditDeny, seqno);
    const number = (out: readonly number[] | undefined): number => (out?.[0] ?? 0) >>> 0;
    return {
      allowed: number(allowed),
      auditAllow: number(auditAllow),
      auditDeny: number(auditDeny),
      seqno: number(seqno),
    };
  });
}
