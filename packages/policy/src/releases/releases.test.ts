import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  BEHAVIOUR_CHANGES,
  type ClassPermission,
  hasOldAvcText,
  isXenRelease,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  type PermissionMove,
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
  '4.17': [
    'RELEASE-4.17.5',
    '430ce6cd936546ad883ecd1c85ddea32d790604b',
    '4357dc32cf0b7878a328fd1c143d02406d412fdaa78deb615db6629826c05c44',
  ],
  '4.20': [
    'RELEASE-4.20.2',
    '03299bb3ec817f47a608dc6080afc32453627fb4',
    'f08dbfdee5ee33c93a522abeec7f7c26bddf21fa17043feba1d74f45c77f2ee4',
  ],
  '4.21': [
    'RELEASE-4.21.1',
    'f1a1e629d0cc4729d10e86104ce157732bcabaca',
    '611d6044bd509d457aff11e323c0c9b9286a681a6e3e9214e256b50d57238fa1',
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
  expect(releasesWith('xen', 'hypfs_op')).toEqual(['4.17', '4.20', '4.21', 'master']);
  expect(releasesWith('xen', 'tmem_op')).toEqual(['4.3', '4.8']);
  expect(releasesWith('nosuch', 'tmem_op')).toEqual([]);
  expect(releasesWithClass('argo')).toEqual(['4.13', '4.17', '4.20', '4.21', 'master']);
  expect(releasesWithClass('nosuch')).toEqual([]);
  expect(isXenRelease('4.17')).toBe(true);
  expect(isXenRelease('4.16')).toBe(false);
});

test('avc lines name domains otherwise from 4.17 on', () => {
  expect(XEN_RELEASES.filter(hasOldAvcText)).toEqual(['4.3', '4.8', '4.13']);
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
