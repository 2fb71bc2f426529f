/**
 * Reads `rdm`: how device memory is kept out of the way of the guest.
 *
 * Follows Xen `tools/libs/util/libxlu_pci.c`, `xlu_rdm_parse`, with what is wrong in it: a policy that it knows ends it as
 * if it were an error, and one that it does not know is passed over. What a text leaves out is never set, so that libxl
 * prints a number that has no name.
 *
 * @module
 */
import type { DeviceSpec } from '../domain-config.ts';
import { showBytes } from '../show-text.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor } from './device.ts';

/** The words of libxl's enumeration. */
export const RDM_POLICIES: readonly string[] = ['invalid', 'strict', 'relaxed'];

/** What is wrong, and the words of libxlutil, if it has any. */
interface Refusal {
  readonly said: string | undefined;
  readonly why: string;
}

interface Reserve {
  /** Undefined where it was never set. */
  strategy: 'host' | undefined;
}

/** Reads `rdm`; whether it took effect. */
export function readReservedMemory(reader: XlReader): boolean {
  const text = reader.text('rdm');
  const origin = reader.origin('rdm');
  if (text === undefined || origin === undefined) return false;
  const spec: DeviceSpec = { text, origin };
  const advisor = new DeviceAdvisor(reader, 'rdm');
  const reserve: Reserve = { strategy: undefined };
  const refusal = readParts(reader, advisor, spec, reserve);
  if (refusal !== undefined) {
    if (refusal.said !== undefined) reader.say(refusal.said, '');
    advisor.ignore(spec, 0, text.length, refusal.why);
    return false;
  }
  reader.assign('b_info.type.hvm.rdm.strategy', reserve.strategy ?? null);
  reader.assign('b_info.type.hvm.rdm.policy', null);
  return true;
}

function readParts(reader: XlReader, advisor: DeviceAdvisor, spec: DeviceSpec, reserve: Reserve): Refusal | undefined {
  const { text } = spec;
  const unfinished: Refusal = { said: undefined, why: 'it is not written as `strategy=host` or `policy=relaxed`' };
  for (let at = 0; at <= text.length; ) {
    const equals = text.indexOf('=', at);
    if (equals === -1) return unfinished;
    const name = text.slice(at, equals);
    if (name !== 'strategy' && name !== 'policy') {
      return { said: `Unknown RDM state option: ${name}`, why: `xl does not know \`${showBytes(name)}\`` };
    }
    const comma = text.indexOf(',', equals);
    const end = comma === -1 ? text.length : comma;
    const value = text.slice(equals + 1, end);
    const refusal = name === 'strategy' ? takeStrategy(value, reserve) : takePolicy(value);
    if (refusal !== undefined) return refusal;
    if (name === 'policy') {
      reader.say(`Unknown RDM policy: ${value}`, '');
      advisor.ignore(spec, equals + 1, end, 'it is no policy');
    }
    if (comma === -1) return undefined;
    at = end + 1;
  }
  return unfinished;
}

function takeStrategy(value: string, reserve: Reserve): Refusal | undefined {
  if (value !== 'host') {
    return { said: `Unknown RDM strategy option: ${value}`, why: `\`${showBytes(value)}\` is no strategy` };
  }
  reserve.strategy = 'host';
  return undefined;
}

/** A policy that is known is what ends it. */
function takePolicy(value: string): Refusal | undefined {
  if (!RDM_POLICIES.includes(value.toLowerCase())) return undefined;
  return { said: undefined, why: 'xl 4.17 takes a policy for an error, and leaves out all of `rdm`' };
}
