/**
 * What dom0 can see of a guest's memory, by trying.
 *
 * @module
 */
import type { Domid, ForeignMapProbe, OperationReport } from '@dewar/toolstack';
import type { HelperFailure, MappedPage } from '../protocol.ts';
import type { RealOperation } from './real-operation.ts';

/** What came of it. */
type PageProbe =
  | { readonly kind: 'mapped'; readonly content: string }
  | { readonly kind: 'denied' }
  | { readonly kind: 'failed'; readonly failure: HelperFailure };

/** Once one page could be mapped, so many around it are tried. */
const NEIGHBOURS = 256;

/** The part of a page that is shown, as text and numbers. */
function shown({ head = '' }: MappedPage): string {
  const bytes = Buffer.from(head, 'hex').subarray(0, 16);
  const text = bytes.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.');
  return `${bytes.toString('hex').replaceAll(/(..)/g, '$1 ').trim()}  ${text}`;
}

/**
 * Tries to map the page that the guest shares with xenstored: every guest has it, from the build on, and it is memory of
 * the guest's own. Xen is asked about one page only, unless it lets dom0 see it.
 */
async function probePages(operation: RealOperation, domid: number, access: 'read' | 'read-write'): Promise<PageProbe> {
  const ring = await operation.call('xenstore.read', { path: `/local/domain/${domid}/store/ring-ref` });
  const frame = ring.kind === 'ok' ? Number(ring.value.value ?? Number.NaN) : Number.NaN;
  if (!Number.isSafeInteger(frame)) {
    const reason = 'xenstore does not tell where the guest has its memory';
    return { kind: 'failed', failure: ring.kind === 'failed' ? ring.failure : { kind: 'refused', reason } };
  }
  const isWritable = access === 'read-write';
  const first = await operation.call('memory.map', { domid, frames: [frame], isWritable });
  if (first.kind === 'failed') return { kind: 'failed', failure: first.failure };
  const [page] = first.value;
  if (page?.result !== 'mapped') {
    const errno = page?.result ?? 'EINVAL';
    // XEN: a denial is EACCES; Linux may turn it into EPERM on the way.
    const isDenied = errno === 'EACCES' || errno === 'EPERM';
    return isDenied ? { kind: 'denied' } : { kind: 'failed', failure: { kind: 'errno', call: 'mmap', errno } };
  }
  if (isWritable) return { kind: 'mapped', content: 'the page could have been written; it was not' };
  const lowest = Math.max(0, frame - NEIGHBOURS / 2);
  const frames = Array.from({ length: NEIGHBOURS }, (_, i) => lowest + i);
  const others = await operation.call('memory.map', { domid, frames, isWritable: false });
  const mapped = others.kind === 'ok' ? others.value.filter(({ result }) => result === 'mapped') : [];
  const full = mapped.filter(({ hasContent }) => hasContent);
  const [sample = page] = full;
  const count = `${mapped.length} of ${NEIGHBOURS} pages around it could be read, ${full.length} with content`;
  return { kind: 'mapped', content: `${count}; frame 0x${sample.frame.toString(16)} begins ${shown(sample)}` };
}

/** Tries to map pages of a guest, and reports what came of it. */
export async function probeMemory(
  operation: RealOperation,
  domid: number,
  access: 'read' | 'read-write',
): Promise<OperationReport<ForeignMapProbe>> {
  const probe = await operation.step<PageProbe>(`dom0 tries to map pages of domain ${domid}`, async () => {
    const value = await probePages(operation, domid, access);
    return { outcome: value.kind === 'mapped' ? 'done' : 'ignored-failure', value };
  });
  if (probe.kind === 'failed') return operation.refused(domid, 'map a page of', probe.failure, 1);
  const avcLine = operation.denials.at(-1)?.line;
  const value: ForeignMapProbe = {
    // As Xen numbers it.
    domid: domid as Domid,
    access,
    outcome: probe.kind,
    avcLine: probe.kind === 'denied' ? avcLine : undefined,
    ...(probe.kind === 'mapped' ? { content: probe.content } : {}),
  };
  return operation.report({ isDone: true, xlExitCode: 0, value, domain: await operation.stateOf(domid) });
}
