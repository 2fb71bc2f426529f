/**
 * Xen's own example policy, as it is and as sites change it: the bytes of checkpolicy where it compiles, and the
 * place of the author's mistake where it does not.
 *
 * The hashes were recorded from GNU m4 1.4.19 and checkpolicy 3.4 on Xen 4.17.5.
 */
import { createHash } from 'node:crypto';
import { type CompileOptions, compileDirectory } from '@dewar/policy/compiler';
import { type Diagnostic, placeText, userSpan } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { type Edits, editedPolicy } from './edited-tree.ts';

const tree = xenTree();

interface CompilingCase {
  readonly name: string;
  readonly edits: Edits;
  readonly options?: CompileOptions;
  readonly bytes: number;
  readonly sha256: string;
  /** What is said although it compiles. */
  readonly codes?: readonly string[];
}

const NIC = 'system_u:object_r:nic_dev_t';

const compiling: readonly CompilingCase[] = [
  {
    name: 'the policy as it comes',
    edits: {},
    bytes: 10943,
    sha256: 'eba8271f4af82466650664913fa67e16ddfa1710fb4b85be3a283223f83d1949',
  },
  {
    name: 'the policy as it comes, for version 24',
    edits: {},
    options: { version: 24 },
    bytes: 10615,
    sha256: '65b8e9062588cbd54cd89bcb75fd53f8b8f05310d1dffa0820d79fe4e0cf0cf6',
  },
  {
    name: 'device contexts in hexadecimal',
    edits: {
      deviceContexts: `pirqcon 33 ${NIC}
iomemcon 0xfebe0-0xfebff ${NIC}
iomemcon 0xfebd9 ${NIC}
ioportcon 0xecc0-0xecdf ${NIC}
pcidevicecon 0xc800 ${NIC}
`,
    },
    bytes: 11151,
    sha256: '731926a7b5303df650e18da8dbcc584b7eb2609360aa5d8f4fb65a517331c0fe',
  },
  {
    name: 'frames above 16 TiB at version 30',
    edits: { deviceContexts: `iomemcon 0x100000000-0x1000000ff ${NIC}\n` },
    bytes: 10991,
    sha256: '53e0263bae507ffe29b79200bdd9de0806817fe3f5af6caaae61e764e974142d',
  },
  {
    name: 'ports out of order keep their order',
    edits: {
      deviceContexts: `ioportcon 0xe000-0xe01f ${NIC}
ioportcon 0x3f8-0x3ff system_u:object_r:device_t
ioportcon 0xc000-0xc00f ${NIC}
`,
    },
    bytes: 11063,
    sha256: '7b5e06f1ed5e50884b24cca2b1c10837ed3eb510a548519fa9335aedad17e8e5',
  },
  {
    name: 'a device-tree node at version 30',
    edits: { deviceContexts: `devicetreecon "/soc/gpio@7d517c00" ${NIC}\n` },
    bytes: 10997,
    sha256: 'd352d42f0ec7285d7ad100c69434523ac58429b891f44af17f2433121be6c45a',
  },
  {
    name: 'an initial SID without a context',
    edits: { replace: { path: 'policy/initial_sids', from: /^sid domDM .*\n/m, to: '' } },
    bytes: 10907,
    sha256: '6e8e697dc477f09fa2bc3b66c4624acf97884646c69b837c31fd69bf3dcd0529',
    codes: ['context/sid-without'],
  },
  {
    name: 'apostrophes in a comment',
    edits: {
      site: `# dom0 can't read this guest's memory
declare_domain(sensor_t)
create_domain(dom0_t, sensor_t)
`,
    },
    bytes: 11664,
    sha256: '9792f461c8f7b70db7517b92292200b1c4dff99a85a8c1c7af391f3b64e5b3e1',
  },
  {
    name: 'a macro call in a comment',
    edits: {
      site: `declare_domain(sensor_t)
# create_domain(dom0_t, sensor_t) is done by the builder domain instead
allow dom0_t sensor_t:domain { getdomaininfo destroy };
`,
    },
    bytes: 11580,
    sha256: 'fe0aca6268403d1c3e1cfdf749c7cf95effa3e0a2b86103bb48007ada162e1d7',
  },
  {
    name: 'the module all_system_role switched off',
    edits: {
      replace: { path: 'modules/modules.conf', from: /^all_system_role = on/m, to: 'all_system_role = off' },
    },
    bytes: 10943,
    sha256: '2c4e754966ed84ce1ad59d5f962aa0d8829b28fb07a0511759922fd19fe00a4a',
  },
];

interface RefusedCase {
  readonly name: string;
  readonly edits: Edits;
  readonly options?: CompileOptions;
  /** Each error: its code and the place in the user's file. */
  readonly errors: readonly (readonly [code: string, place: string])[];
  /** Something that must be said, in a message, a note or the title of a fix. */
  readonly says?: readonly RegExp[];
}

const refused: readonly RefusedCase[] = [
  {
    name: "Xen's own rules for MLS name permissions that are gone",
    edits: {},
    options: { isMls: true },
    errors: [
      ['te/unknown-permission', 'policy/mls:73:88'],
      ['te/unknown-permission', 'policy/mls:77:96'],
      ['te/unknown-permission', 'policy/mls:77:209'],
    ],
    says: [/getextvcpucontext/, /setextvcpucontext/, /scheduler/],
  },
  {
    name: 'a macro with a slip of the hand',
    edits: {
      site: 'declare_domain(web_t)\ncreate_domian(dom0_t, web_t)\nmanage_domain(dom0_t, web_t)\n',
    },
    errors: [['language/unknown-macro', 'modules/site.te:2:1']],
    says: [/did you mean `create_domain`/],
  },
  {
    name: 'a call without its second argument',
    edits: { site: 'declare_domain(web_t)\ncreate_domain(dom0_t)\n' },
    errors: [['language/missing-argument', 'modules/site.te:2:1']],
    says: [/argument 2/],
  },
  {
    name: 'a rule that a neverallow forbids',
    edits: { site: '# what a log suggested\nallow dom0_t unlabeled_t:domain create;\n' },
    errors: [['te/neverallow-violated', 'modules/site.te:2:1']],
    says: [/xen\.te:68/, /dom0_t/, /unlabeled_t/],
  },
  {
    name: 'a user among the rules of a module',
    edits: {
      site: `declare_domain(guest_t)
create_domain(dom0_t, guest_t)
role cust_r;
role cust_r types guest_t;
user cust_1 roles { cust_r };
manage_domain(dom0_t, guest_t)
`,
    },
    errors: [['language/wrong-section', 'modules/site.te:5:1']],
  },
  {
    name: 'frames above 16 TiB at version 24',
    edits: { deviceContexts: `iomemcon 0x100000000-0x1000000ff ${NIC}\n` },
    options: { version: 24 },
    errors: [['context/unwritable-at-version', 'policy/device_contexts:33:10']],
  },
  {
    name: 'one interrupt with two labels',
    edits: { deviceContexts: `pirqcon 16 ${NIC}\npirqcon 16 system_u:object_r:device_t\n` },
    errors: [['context/duplicate', 'policy/device_contexts:34:9']],
    says: [/device_contexts:33/],
  },
  {
    name: 'an attribute that was never declared',
    edits: { site: 'type sensor_t, domain_type, sensors;\n' },
    errors: [['te/undeclared-attribute', 'modules/site.te:1:29']],
  },
  {
    name: 'a type that was never declared',
    edits: { site: 'domain_comms(dom0_t, sensr_t)\n' },
    errors: [['te/unknown-type', 'modules/site.te:1:22']],
  },
  {
    name: 'a module that another one needs is switched off',
    edits: { replace: { path: 'modules/modules.conf', from: /^domU = on/m, to: 'domU = off' } },
    errors: [['te/unknown-type', 'modules/prot_domU.te:11:14']],
    says: [/module `domU` speaks of it/, /modules\/nic_dev.te:14:20, policy\/initial_sids:18:40/],
  },
];

function place({ origin }: Diagnostic): string {
  return origin === undefined ? '' : placeText(userSpan(origin));
}

function allText({ message, notes, fixes }: Diagnostic): string {
  const noteTexts = notes.map(
    (note) => `${note.message} ${note.origin === undefined ? '' : placeText(note.origin.span)}`,
  );
  return [message, ...noteTexts, ...fixes.map(({ title }) => title)].join('\n');
}

describe.skipIf(tree === undefined)("Xen's example policy", () => {
  const compile = (edits: Edits, options: CompileOptions = {}) =>
    compileDirectory(editedPolicy(tree ?? '', edits), options);

  test.each(compiling)(
    '$name compiles to the bytes of checkpolicy',
    ({ edits, options, bytes, sha256, codes = [] }) => {
      const result = compile(edits, options);
      expect(result.diagnostics.map(({ code }) => code)).toEqual(codes);
      expect(result.bytes?.length).toBe(bytes);
      expect(
        createHash('sha256')
          .update(result.bytes ?? '')
          .digest('hex'),
      ).toBe(sha256);
    },
  );

  test.each(refused)('$name is refused at the place of the mistake', ({ edits, options, errors, says = [] }) => {
    const { bytes, diagnostics } = compile(edits, options);
    expect(bytes).toBeUndefined();
    const found = diagnostics.filter(({ severity }) => severity === 'error');
    expect(found.map((one) => [one.code, place(one)])).toEqual(errors);
    const text = found.map(allText).join('\n');
    for (const words of says) expect(text).toMatch(words);
  });
});
