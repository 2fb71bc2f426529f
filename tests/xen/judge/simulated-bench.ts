/**
 * A simulated host that is asked what real Xen is asked.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import type { XenReleaseName } from '@dewar/policy/releases';
import { examplePolicy, xenTree } from '@dewar/testkit';
import { LibxlHost } from '@dewar/toolstack';
import { RECORDED_DEVICE } from '../../traces/kinds/kinds-policy.ts';
import type { Bench } from './conformance.ts';

/** Xen's own policy directory, as it is on disk. */
function stockPolicy(root: string): PolicyFiles {
  const folder = join(root, 'tools/flask/policy');
  return {
    readText(path) {
      try {
        return readFileSync(join(folder, path), 'latin1');
      } catch {
        return undefined;
      }
    },
    listNames(directory) {
      try {
        return readdirSync(join(folder, directory));
      } catch {
        return [];
      }
    },
    describe: (path) => path,
  };
}

function bytesOf(files: PolicyFiles, release: XenReleaseName): Uint8Array {
  const { bytes, diagnostics } = compileDirectory(files, { release });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return bytes;
}

/** The real machine that is compared: its release of Xen, and what it can do. */
interface Machine {
  readonly release?: XenReleaseName;
  readonly runsPvh?: boolean;
  readonly hasPci?: boolean;
}

/** A host that has booted the example policy. Needs a source tree of Xen of that release. */
export function simulatedBench({
  release = '4.17',
  runsPvh = true,
  hasPci = true,
}: Machine = {}): Bench & { readonly host: LibxlHost } {
  const policies = {
    example: bytesOf(examplePolicy(), release),
    stock: bytesOf(stockPolicy(xenTree() ?? ''), release),
  };
  const { example: policy } = policies;
  const outcome = Hypervisor.boot({ release, policy, flask: 'enforcing', devices: [RECORDED_DEVICE] });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  const host = new LibxlHost(outcome.hypervisor);
  return {
    host,
    series: release.split('.', 2).join('.'),
    policies,
    // A simulated kernel has no console: it is alive when it runs and nothing that it needs was denied.
    isAlive: async (name) =>
      (await host.list()).value?.some((one) => one.name === name && one.state === 'running') === true,
    runsPvh,
    saveFile: 'saved',
    disk: '/dev/loop0',
    pciDevice: hasPci ? '0000:00:05.0' : undefined,
  };
}
