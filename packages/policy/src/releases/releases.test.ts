import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  BEHAVIOUR_CHANGES,
  type ClassPermission,
  findXenRelease,
  gapsOf,
  hasEarlyChecks,
  hasOldAvcText,
  isXenRelease,
  nearestXenRelease,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  type PermissionMove,
  RELEASE_GAPS,
  releasesText,
  releasesWith,
  releasesWithClass,
  XEN_RELEASES,
  type XenReleaseName,
  xenRelease,
} from './index.ts';

/**
 * The tag and commit of Xen of which each table was made, and the SHA-256 of what the generators of that tree
 * (`xen/xsm/flask/policy/mkflask.sh`, `mkaccess_vector.sh`) make of `security_classes`, `access_vectors` and
 * `initial_sids`, written down as `canonicalText` writes it.
 */
const SOURCES: Readonly<Record<XenReleaseName, readonly [tag: string, commit: string, sha256: string]>> = {
  '4.3': [
    'RELEASE-4.3.0',
    'f8cc9c2b713b1739b1d3d324716547fa639dce86',
    '5dd1858312d7481afb086454ffa9bfc9b3b7652a20e74a3eac7d639feacf727b',
  ],
  '4.8': [
    'RELEASE-4.8.0',
    'b03cee73197f4a37bf2941b9367105187355e638',
    '49f1c56c7056a774f0a7712e883a780ad2d12d22509e2b21e633dc3d83dbd96b',
  ],
  '4.13': [
    'RELEASE-4.13.0',
    'a2e84d8e42c9e878fff17b738d8e5c5d83888f31',
    '4988f417a89abeaf75c458188b83181cdff43cc85f27ee4935200a8786a17f41',
  ],
  '4.14': [
    'RELEASE-4.14.6',
    '297fce96e1329107f48c08f539bc3000652610cd',
    '336200ad5a5cf6ac8e3e2d9c23cf59f052193f5aff6c74a1fad21cafbf60d8a4',
  ],
  '4.15': [
    'RELEASE-4.15.7',
    '543bbddf79f105682904c3b5a09c5a1692ae4b15',
    '955fce3a295252fc473635c19259c27dc1e77deb7efc3d054d162623e9684870',
  ],
  '4.16': [
    'RELEASE-4.16.7',
    'b15e1f07954949759dfb355c0c4045ba58b8376a',
    '955fce3a295252fc473635c19259c27dc1e77deb7efc3d054d162623e9684870',
  ],
  '4.17': [
    'RELEASE-4.17.5',
    '430ce6cd936546ad883ecd1c85ddea32d790604b',
    '4357dc32cf0b7878a328fd1c143d02406d412fdaa78deb615db6629826c05c44',
  ],
  '4.17.7': [
    'RELEASE-4.17.7',
    '9373a593c5a6ef57db1302eb1dca58cc3eb51c07',
    '4357dc32cf0b7878a328fd1c143d02406d412fdaa78deb615db6629826c05c44',
  ],
  '4.18': [
    'RELEASE-4.18.5',
    '0b8f769d00bcfcda65d9f6d0729cfdc6cb336d12',
    'f607954902b146a205f672199649db60f5d686e6af85dc3753ed86928b6a1863',
  ],
  '4.18.6': [
    'RELEASE-4.18.6',
    'c9355898f3b8e10ca49e87d50e335d682827c33b',
    'f607954902b146a205f672199649db60f5d686e6af85dc3753ed86928b6a1863',
  ],
  '4.19': [
    'RELEASE-4.19.5',
    '7a15cde90e8fc21ca9ea225b16bef6f8e3839c7a',
    '86f58bc24a3e69ff35fa10c84dbadf5a77ddbaa54545897ce1bc504aa126ce02',
  ],
  '4.19.6': [
    'RELEASE-4.19.6',
    '54ee7c511ae7f5cac195cce271564a1a339ae99a',
    '86f58bc24a3e69ff35fa10c84dbadf5a77ddbaa54545897ce1bc504aa126ce02',
  ],
  '4.20': [
    'RELEASE-4.20.2',
    '03299bb3ec817f47a608dc6080afc32453627fb4',
    'f08dbfdee5ee33c93a522abeec7f7c26bddf21fa17043feba1d74f45c77f2ee4',
  ],
  '4.20.4': [
    'RELEASE-4.20.4',
    '9611e26eff425be128d4b9c7b48f2bc6b5d3498e',
    'f08dbfdee5ee33c93a522abeec7f7c26bddf21fa17043feba1d74f45c77f2ee4',
  ],
  '4.21': [
    'RELEASE-4.21.1',
    'f1a1e629d0cc4729d10e86104ce157732bcabaca',
    '611d6044bd509d457aff11e323c0c9b9286a681a6e3e9214e256b50d57238fa1',
  ],
  '4.21.2': [
    'RELEASE-4.21.2',
    '78c2a59f9edba7ee4da31c7c95ac52a003d56b91',
    '611d6044bd509d457aff11e323c0c9b9286a681a6e3e9214e256b50d57238fa1',
  ],
  '4.22': [
    'RELEASE-4.22.0',
    'd45d5687f1441495f4ee20d5e9940066c5fa5beb',
    'cd3ffcf53f8775987586464587e75e717f3e528343fcc8986102b82a917f7989',
  ],
  master: [
    'master',
    'c447b7308b1330ec6dcfef37220736c28f41daa0',
    'cd3ffcf53f8775987586464587e75e717f3e528343fcc8986102b82a917f7989',
  ],
};

/** One line for each class with its number and its permissions, and one for the initial SIDs. */
function canonicalText(release: XenReleaseName): string {
  const { classes, initialSids } = xenRelease(release);
  const lines = classes.map(({ id, name, permissions }) => `${id} ${name} ${permissions.join(' ')}`);
  return [...lines, `sids ${initialSids.join(' ')}`, ''].join('\n');
}

test.each(XEN_RELEASES)('the classes, permissions and initial SIDs of %s are those of its source', (release) => {
  const [, , expected] = SOURCES[release];
  expect(createHash('sha256').update(canonicalText(release)).digest('hex')).toBe(expected);
});

test('no class has more permissions than an access vector has bits, and none twice', () => {
  for (const release of XEN_RELEASES) {
    for (const { name, permissions } of xenRelease(release).classes) {
      expect([release, name, permissions.length <= 32, new Set(permissions).size]).toEqual([
        release,
        name,
        true,
        permissions.length,
      ]);
    }
  }
});

test('it is known which releases have a permission or a class', () => {
  expect(releasesText(releasesWith('xen', 'hypfs_op'))).toBe('4.14 to master');
  expect(releasesText(releasesWith('domain2', 'vuart_op'))).toBe('4.18 to master');
  expect(releasesText(releasesWith('hvm', 'nested'))).toBe('4.3 to 4.14');
  expect(releasesWith('xen', 'tmem_op')).toEqual(['4.3', '4.8']);
  expect(releasesWith('nosuch', 'tmem_op')).toEqual([]);
  expect(releasesText(releasesWithClass('argo'))).toBe('4.13 to master');
  expect(releasesWithClass('nosuch')).toEqual([]);
  expect(isXenRelease('4.17')).toBe(true);
  expect(isXenRelease('4.12')).toBe(false);
});

test('avc lines name domains otherwise from 4.17 on', () => {
  expect(releasesText(XEN_RELEASES.filter(hasOldAvcText))).toBe('4.3 to 4.16');
});

test('a point release is found by the entry that stands for it', () => {
  const found = (text: string): string | undefined => findXenRelease(text);
  expect(['4.17', '4.17.5', '4.17.6', '4.17.7', '4.20.3', '4.20.4', 'master'].map(found)).toEqual([
    '4.17',
    '4.17',
    '4.17',
    '4.17.7',
    '4.20',
    '4.20.4',
    'master',
  ]);
  // Before these points FLASK of the series asked for other things.
  expect(['4.17.4', '4.18.4', '4.19.1', '4.12', '4.17.', '4.17.5.1', 'Master', ''].map(found)).toEqual(
    Array.from({ length: 8 }),
  );
});

test('the tables nearest to a version are of its series, or of the one before', () => {
  const near = (text: string): string | undefined => nearestXenRelease(text);
  expect(['4.17.4', '4.18.0', '4.17.9', '4.22.3', '4.12.1', '4.9', '5.0', '4.2', 'unknown'].map(near)).toEqual([
    '4.17',
    '4.18',
    '4.17.7',
    '4.22',
    '4.8',
    '4.8',
    '4.22',
    undefined,
    undefined,
  ]);
});

test('a set of releases is written by its first and last', () => {
  expect(releasesText([])).toBe('');
  expect(releasesText(['4.3', '4.13', '4.14', 'master'])).toBe('4.3, 4.13, 4.14, master');
  expect(releasesText(XEN_RELEASES)).toBe('4.3 to master');
  expect(releasesText(XEN_RELEASES.filter(hasEarlyChecks))).toBe('4.17.7, 4.18.6, 4.19.6, 4.20.4, 4.21.2 to master');
});

test('what Xen lets pass ends with the point releases that mended it', () => {
  expect(gapsOf('4.17').map(({ id }) => id)).toEqual(['XSA-492 and XSA-499']);
  expect(gapsOf('4.17.7')).toEqual([]);
  expect(gapsOf('4.16').map(({ id }) => id)).toEqual(['commit ee32b9b29a', 'commit 3007efadf7', 'XSA-492 and XSA-499']);
  for (const { text, mendedIn } of RELEASE_GAPS) {
    expect(text).toMatch(/^[a-z].*[^.]$/);
    expect(mendedIn).toMatch(/^\d+\.\d+\.\d+/);
  }
});

describe('what became of permissions', () => {
  const has = (release: XenReleaseName, one: ClassPermission): boolean =>
    releasesWith(one.class, one.permission).includes(release);
  const before = ({ since }: PermissionMove): XenReleaseName => {
    const found = XEN_RELEASES[XEN_RELEASES.indexOf(since) - 1];
    if (found === undefined) throw new Error('nothing came before the first release');
    return found;
  };
  const named = ({ class: name, permission }: ClassPermission): string => `${name} ${permission}`;

  test('each permission that the tables lose is accounted for, in the release that loses it', () => {
    const lost = XEN_RELEASES.slice(1).flatMap((release, i) =>
      xenRelease(XEN_RELEASES[i] ?? release).classes.flatMap(({ name, permissions }) =>
        permissions
          .map((permission) => ({ class: name, permission }))
          .filter((one) => !has(release, one))
          .map((one) => `${release} ${named(one)}`),
      ),
    );
    const told = PERMISSION_MOVES.flatMap((move) => move.before.map((one) => `${move.since} ${named(one)}`));
    expect([...told].sort()).toEqual([...lost].sort());
  });

  test('what is asked for instead is there in that release', () => {
    for (const move of [...PERMISSION_MOVES, ...PERMISSION_SPLITS]) {
      expect(move.after.filter((one) => !has(move.since, one)).map(named)).toEqual([]);
      expect(move.before.filter((one) => !has(before(move), one)).map(named)).toEqual([]);
    }
  });

  test('a permission that only covers less is still there, and what it gave away is new', () => {
    for (const split of PERMISSION_SPLITS) {
      expect(split.before.filter((one) => !has(split.since, one)).map(named)).toEqual([]);
      expect(split.after.filter((one) => has(before(split), one)).map(named)).toEqual([]);
    }
  });

  test('what is said of behaviour is a sentence', () => {
    for (const { text } of BEHAVIOUR_CHANGES) expect(text).toMatch(/^[A-Z].*\.$/);
  });
});
