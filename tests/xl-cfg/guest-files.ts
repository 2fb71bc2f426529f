/**
 * Files for whole guests, and what xl's dry runs of them were recorded to print.
 *
 * A record is one text: how xl ended, then each stream after a line that names it, byte for byte.
 *
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { DryRun } from './xl-reference.ts';

const GUESTS = new URL('guests/', import.meta.url);
const RECORDS = new URL('golden/', import.meta.url);

export interface GuestFile {
  readonly name: string;
  readonly text: string;
}

/** All files for guests, in the order of their names. */
export function guestFiles(): GuestFile[] {
  return readdirSync(GUESTS)
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, GUESTS), 'latin1') }));
}

/** A dry run as it is recorded; a UUID that xl took at random is not a part of it. */
export function recordText(run: DryRun, text: string): string {
  const stdout = /^uuid/m.test(text) ? run.stdout : run.stdout.replace(/ +"uuid": "[^"]*",\n/, '');
  return `end: ${run.end}\nstderr:\n${run.stderr}stdout:\n${stdout}`;
}

const recordUrl = (name: string): URL => new URL(name.replace(/cfg$/, 'txt'), RECORDS);

/** The recorded dry run of the guest file of this name. */
export function readRecord(name: string): string {
  return readFileSync(recordUrl(name), 'latin1');
}

export function writeRecord(name: string, record: string): void {
  writeFileSync(recordUrl(name), record, 'latin1');
}
