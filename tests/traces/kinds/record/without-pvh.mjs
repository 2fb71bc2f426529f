// SPDX-License-Identifier: Apache-2.0
//
// Takes a Linux kernel out of its bzImage, and hides from Xen's builder that it
// could be started in an HVM container, so that it is built as a PV guest.
//   node without-pvh.mjs VMLINUZ OUTPUT
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const [, , input, output] = process.argv;
const image = readFileSync(input);
const payload = image.subarray(image.indexOf(Buffer.from('fd377a585a00', 'hex')));
let kernel;
try {
  kernel = execFileSync('xz', ['-dc', '--single-stream'], { input: payload, maxBuffer: 2 ** 28 });
} catch (error) {
  // xz complains of what comes after its stream.
  kernel = error.stdout;
}
// XEN_ELFNOTE_PHYS32_ENTRY is note 18 of the owner "Xen".
for (const size of ['04000000', '08000000']) {
  const at = kernel.indexOf(Buffer.from(`04000000${size}1200000058656e00`, 'hex'));
  if (at >= 0) kernel.writeUInt32LE(0x7f, at + 8);
}
writeFileSync(output, kernel);
