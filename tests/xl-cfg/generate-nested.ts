/**
 * Values for the keys that hold small languages of their own: `cpuid`, `rdm`, `vdispl`, `vnuma`, `vsnd`.
 *
 * Left out is what makes xl use memory that it never set or no longer has (a connector without a resolution, more
 * distances than nodes, `family` with more than one number), for it does not do the same twice.
 *
 * @module
 */
import type { Dice } from './generate-texts.ts';

const FLAGS = [
  ...[
    'tm',
    'sse3',
    'sse4.1',
    'avx512f',
    'family',
    'model',
    'stepping',
    'maxleaf',
    'proccount',
    'procpkg',
    'nc',
    'btc-no',
  ],
  ...[
    'rdcl-no',
    'its-no',
    'xsaves',
    'cet-sss',
    'tsa-l1-no',
    'maxhvleaf',
    'apicidsize',
    'intel-psfd',
    'fzrm',
    'clflush',
  ],
  ...['nope', '', 'TM', ' tm', 'rrsba'],
];
const FLAG_VALUES = [
  '0',
  '1',
  'x',
  'k',
  's',
  '',
  '5',
  '0x3f',
  '255',
  '017',
  '-1',
  'xx',
  'q',
  '1z',
  ' 1',
  '20',
  '16',
  '300',
];
const BITS = ['01xks0101010101010101010101010xk', '0', 'x'.repeat(32), 'x'.repeat(33), ''];
const LEAVES = ['1', '0x80000001', '7,0', '7,1', '0xd,1', '', 'x', '1,', '1,x', '-1', '4294967296', ' 2', '010'];
const REGISTERS = ['eax', 'ebx', 'ecx', 'edx', 'eex', 'ax', 'e', ' eax'];

function cpuid(dice: Dice): string {
  if (dice.isLucky(3)) {
    const lines = dice.some(3, () => {
      const parts = dice.some(3, () => `${dice.pick(REGISTERS.slice(0, dice.isLucky(4) ? 8 : 4))}=${dice.pick(BITS)}`);
      return `"${dice.pick(LEAVES)}${dice.isLucky(12) ? '' : ':'}${parts.join(dice.pick([',', ', ']))}"`;
    });
    return `[${lines.join(',')}]`;
  }
  const flags = dice.some(5, () => `${dice.pick(FLAGS)}${dice.isLucky(12) ? '' : '='}${dice.pick(FLAG_VALUES)}`);
  return `"${[dice.isLucky(10) ? dice.pick(['hst', '', 'host=1']) : 'host', ...flags].join(',')}"`;
}

function rdm(dice: Dice): string {
  const parts = dice.some(2, () =>
    dice.pick([
      'strategy=host',
      'strategy=none',
      'policy=strict',
      'policy=Relaxed',
      'policy=x',
      'policy=',
      'foo=1',
      'x',
      '',
    ]),
  );
  return `"${parts.join(',')}"`;
}

const CONNECTORS = [
  'id0:1920x1080',
  'id1:800x600',
  'a:b:3x4',
  'a:1',
  'a:1x',
  'a: 7x 8',
  'a:3x4y',
  'a:0x0',
  'a:-1x2',
  'a: :1x1',
];

function vdispl(dice: Dice): string {
  const entries = dice.some(2, () => {
    const parts = dice.some(3, () =>
      dice.pick(['backend=d', 'be-alloc=1', 'be-alloc=0x0', 'be-alloc=x', 'foo', 'foo=1', ' backend=', 'Backend=d']),
    );
    const connectors = dice.some(3, () => dice.pick(CONNECTORS));
    if (!dice.isLucky(8)) parts.push(`connectors=${connectors.length === 0 ? 'a:1x1' : connectors.join(';')}`);
    return `"${parts.join(',')}"`;
  });
  return `[${entries.join(',')}]`;
}

function vnuma(dice: Dice): string {
  const count = 1 + dice.roll(2);
  const nodes = Array.from({ length: count }, (_, node) => {
    const options = [
      ...(dice.isLucky(8) ? [] : [`"size=${dice.pick(['64', '0', ' 128 ', '0100', dice.isLucky(6) ? 'x' : '32'])}"`]),
      ...(dice.isLucky(8) ? [] : [`"vcpus=${dice.pick([`${node}`, '0-1', '0,1', '2', '9', '1-0', 'x', '0-', '3x'])}"`]),
      ...(dice.isLucky(2)
        ? [`"vdistances=${Array.from({ length: count }, () => dice.pick(['10', '20', '4294967297'])).join(',')}"`]
        : []),
      ...(dice.isLucky(2)
        ? [`"${dice.pick(['pnode=0', ' pnode = 0', dice.isLucky(4) ? 'pnode=1' : 'pnode=00'])}"`]
        : []),
      ...(dice.isLucky(12) ? [dice.pick(['"foo=1"', '"x"', '["size=1"]', '"size="', '"=1"'])] : []),
    ];
    return dice.isLucky(30) ? '"size=1"' : `[${options.join(',')}]`;
  });
  return `[${nodes.join(',')}]`;
}

const PARAMETERS = [
  ...[
    'sample-rates=48000;44100',
    'sample-rates=x',
    'sample-formats=s16_le;U8',
    'sample-formats=gsm',
    'sample-formats=s9',
  ],
  ...['channels-min=2', 'channels-max=0x10', 'channels-max=0', 'buffer-size=-1', 'sample-rates=;1'],
];
const OWN: Readonly<Record<string, readonly string[]>> = {
  card: ['backend=d', 'short-name=s', 'long-name=two words', 'name=x', 'x'],
  pcm: ['name=p', 'short-name=x', ' name=q'],
  stream: ['unique-id=u', 'type=p', 'type=C', 'type=x', 'name=x'],
};

function vsnd(dice: Dice): string {
  const cards = dice.some(2, () => {
    if (dice.isLucky(20)) return '"card"';
    const items = dice.some(5, () => {
      if (dice.isLucky(30)) return dice.pick(['["pcm"]', '""', '"foo"']);
      const kind = dice.pick(['card', 'pcm', 'stream']);
      const own = OWN[kind] ?? [];
      const parts = dice.some(3, () =>
        dice.isLucky(2)
          ? dice.pick(PARAMETERS.slice(0, dice.isLucky(4) ? 10 : 4))
          : dice.pick(own.slice(0, dice.isLucky(6) ? 5 : 2)),
      );
      return `"${[dice.isLucky(8) ? kind.toUpperCase() : kind, ...parts].join(dice.pick([',', ', ']))}"`;
    });
    return `[${items.join(',')}]`;
  });
  return `[${cards.join(',')}]`;
}

const GENERATORS: Readonly<Record<string, (dice: Dice) => string>> = { cpuid, rdm, vdispl, vnuma, vsnd };

/** The keys that values are made for here. */
export const NESTED_KEYS: readonly string[] = Object.keys(GENERATORS);

/** A value of one of these keys, with its quotes and brackets. */
export function generateNested(dice: Dice, key: string): string {
  return GENERATORS[key]?.(dice) ?? '""';
}
