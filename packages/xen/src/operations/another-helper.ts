/**
 * What a second helper process finds out, and undoes, where the first one cannot: it has ended, or was opened when libxl
 * could not be asked.
 *
 * @module
 */
import type { DomainState } from '@dewar/toolstack';
import { HelperProcess } from '../helper-process.ts';
import { domainState } from './real-operation.ts';

/** A helper that ended in the middle of a build cannot clean up: another one does. Answers what became of the guest. */
export async function cleanUpAfter(helperFile: string, release: string, uuid: string): Promise<string> {
  const helper = new HelperProcess(helperFile);
  try {
    await helper.call('open', { release });
    const list = await helper.call('domain.list', {});
    const left = list.kind === 'ok' ? list.value.find((domain) => domain.uuid === uuid) : undefined;
    if (list.kind === 'failed') return `whether the guest with the UUID ${uuid} is left could not be found out`;
    if (left === undefined) return 'nothing of the guest is left';
    // A guest that runs is whole: it was the answer that was lost.
    if (!left.isPaused) return `domain ${left.domid} is left as it is, since it runs`;
    const destroyed = await helper.call('domain.destroy', { domid: left.domid });
    if (destroyed.kind === 'ok') return `domain ${left.domid}, which was half built, was destroyed`;
    return `domain ${left.domid} is half built, and could not be destroyed`;
  } finally {
    await helper.close();
  }
}

/** The domain that has become the xenstore of the host; undefined where there is none. */
export async function findXenstoreDomain(helperFile: string, release: string): Promise<DomainState | undefined> {
  const helper = new HelperProcess(helperFile);
  try {
    await helper.call('open', { release });
    const told = await helper.call('xenstore.read', { path: '/tool/xenstored/domid' });
    const domid = told.kind === 'ok' ? Number(told.value.value ?? Number.NaN) : Number.NaN;
    const found = Number.isSafeInteger(domid) ? await helper.call('domain.info', { domid }) : undefined;
    return found?.kind === 'ok' && found.value !== undefined ? domainState(found.value) : undefined;
  } finally {
    await helper.close();
  }
}
