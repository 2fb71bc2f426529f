/**
 * Saves, restores and migrations of each kind of guest: as they were recorded, and as the simulated host makes them.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { OperationReport } from '@dewar/toolstack';
import { bootKinds, checksOf, golden, guestOf, withoutPolls } from './kinds-policy.ts';

/** Guests that were moved, by the names of their configurations. */
export type Kind = 'none' | 'pvh' | 'hvm' | 'stub';

const SIDES = { sender: / guest_t/, receiver: / moved_t/ } as const;

/** Two lines that take turns, once: how much memory is filled at a time differs. */
function withoutTurns(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (const line of lines) {
    if (line === kept.at(-2) && kept.length > 2 && kept.at(-1) === kept.at(-3)) kept.pop();
    else if (line !== kept.at(-1)) kept.push(line);
  }
  return kept;
}

/**
 * The reading of memory once: what was written meanwhile is asked for and read again, up to five times, and whether the last
 * question found anything is a matter of the guest's pace.
 */
function withoutRounds(lines: readonly string[]): string[] {
  const isOfRounds = (line: string | undefined): boolean =>
    /^(?:shadow \{ logdirty|mmu \{ map_read) \}/.test(line ?? '');
  return lines.filter((line, i) => !isOfRounds(line) || !isOfRounds(lines[i - 1]) || !isOfRounds(lines[i - 2]));
}

/**
 * What can be compared of a guest with a stub domain. libxl asks after its QEMU until that answers, and what they share is
 * given back when a kernel comes to it. The recorded restore ends where its QEMU was waited for in vain.
 */
function ofKind(kind: Kind, name: string, lines: readonly string[]): string[] {
  if (kind !== 'stub') return [...lines];
  const end = lines.findIndex((line) => /^domain \{ pause \} dom0_t dm_t|^domain2 \{ relabelfrom \}/.test(line));
  const aside = /^(?:domain \{ getdomaininfo|security \{ check_context|grant \{ unmap) \}/;
  const own = /(?:^|-)restore$/.test(name) ? lines.slice(0, end) : lines;
  return withoutTurns(own.filter((line) => !aside.test(line)));
}

/** The checks of one side of a migration, as its recording has them. */
function ofSide(report: OperationReport<unknown>, side: keyof typeof SIDES): string[] {
  const own = checksOf(report).filter((line) => SIDES[side].test(line));
  return withoutTurns(own.filter((line) => !line.startsWith('domain { getdomaininfo }')));
}

function textOf(kind: Kind): string {
  return readFileSync(new URL(`./record/guests/${kind}.cfg`, import.meta.url), 'latin1');
}

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

/** What the simulated host checks for each operation on a guest of this kind, by the names of the recordings. */
export async function simulateMoves(kind: Kind): Promise<ReadonlyMap<string, readonly string[]>> {
  const { host } = bootKinds();
  const found = new Map<string, readonly string[]>();
  const note = <T>(name: string, report: OperationReport<T>): T | undefined => {
    if (report.outcome !== 'done') throw new Error(`${kind}-${name}: ${report.diagnostics.map((d) => d.message)}`);
    found.set(`${kind}-${name}`, ofKind(kind, name, withoutTurns(withoutPolls(checksOf(report)))));
    return report.value;
  };
  const config = guestOf(textOf(kind));
  await host.create(config, { uuid });
  const saved = note('save', await host.save(config.name));
  note('restore', await host.restore(saved, { uuid, paused: true }));
  note('restored-unpause', await host.unpause(config.name));
  note('save-continue', await host.save(config.name, { checkpoint: true }));
  const other = bootKinds().host;
  const moved = guestOf(textOf(kind).replaceAll('guest_t', 'moved_t'));
  const { source, target } = await host.migrate(config.name, other, { uuid, config: moved });
  note('migrate', source);
  if (target === undefined) throw new Error(`${kind}: nothing arrived`);
  found.delete(`${kind}-migrate`);
  found.set(`${kind}-migrate-sender`, withoutRounds(ofSide(source, 'sender')));
  found.set(`${kind}-migrate-receiver`, ofSide(target, 'receiver'));
  // Both domains that there were had numbers of the same host.
  note('moved-destroy', await other.destroy(config.name));
  return found;
}

/** A kernel that was still starting when its guest was saved or sent has its own lines between those of the helper. */
function ofHost(name: string, lines: readonly string[]): readonly string[] {
  const own = /-save$|-migrate-sender$/.test(name) ? lines.filter((line) => !/ guest_t \S+$/.test(line)) : lines;
  return name.endsWith('-migrate-sender') ? withoutRounds(own) : own;
}

/** The recordings of moves of this kind, by name, made comparable. */
export function recordedMoves(kind: Kind): ReadonlyMap<string, readonly string[]> {
  const names = readdirSync(new URL('./golden', import.meta.url)).map((file) => file.replace(/\.txt$/, ''));
  const moves = /-(?:save|save-continue|restore|restored-unpause|migrate-sender|migrate-receiver|moved-destroy)$/;
  const own = names.filter((name) => name.startsWith(`${kind}-`) && moves.test(name));
  return new Map(
    own.sort().map((name) => [name, ofKind(kind, name, withoutTurns(withoutPolls(ofHost(name, golden(name)))))]),
  );
}

/** All kinds of which there are recordings. */
export const KINDS: readonly Kind[] = ['none', 'pvh', 'hvm', 'stub'];
