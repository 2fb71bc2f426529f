/**
 * Where names that a policy uses and does not have could come from: another release of Xen, a module that is switched off.
 *
 * @module
 */
import {
  releasesText,
  releasesWith,
  releasesWithClass,
  releasesWithInitialSid,
  type XenReleaseName,
} from '../releases/index.ts';
import type { Diagnostic, Note } from '../text/index.ts';
import { source as messages } from './diagnostics.ts';
import type { PolicySources } from './policy-sources.ts';
import type { NameAdvice } from './scope.ts';

/** From so many names of other releases on, the release is at fault, not the names. */
const MANY = 6;

const OFF = 'and `modules.conf` switches it off';
const UNNAMED = 'and `modules.conf` does not name it';

/** Whether a note says that a module which has the name is switched off. */
export function isSwitchedOff(note: string): boolean {
  return note.endsWith(OFF) || note.endsWith(UNNAMED);
}

const KNOWN = 'known to Xen ';

function list(names: Iterable<string>): string {
  return [...names].map((name) => `\`${name}\``).join(', ');
}

/** Gives advice on single names, and sees whether all of them have one cause. */
export class NamesElsewhere implements NameAdvice {
  readonly #modulesOff: PolicySources['modulesOff'];
  /** The release whose tables the policy is compiled with; undefined where it brings tables of its own. */
  readonly #release: XenReleaseName | undefined;
  /** What was looked for and is in other releases, under what it is a name of, with those releases. */
  readonly #found = new Map<string, Map<string, readonly XenReleaseName[]>>();

  constructor(modulesOff: PolicySources['modulesOff'], release: XenReleaseName | undefined) {
    this.#modulesOff = modulesOff;
    this.#release = release;
  }

  #note(what: string, name: string, releases: readonly XenReleaseName[]): readonly Note[] {
    if (releases.length === 0) return [];
    const names = this.#found.get(what) ?? new Map<string, readonly XenReleaseName[]>();
    this.#found.set(what, names.set(name, releases));
    return [{ message: `${KNOWN}${releasesText(releases)}` }];
  }

  ofPermission(className: string, permission: string): readonly Note[] {
    return this.#note(`permissions of \`${className}\``, permission, releasesWith(className, permission));
  }

  ofClass(className: string): readonly Note[] {
    return this.#note('classes', className, releasesWithClass(className));
  }

  ofInitialSid(name: string): readonly Note[] {
    return this.#note('initial SIDs', name, releasesWithInitialSid(name));
  }

  ofName(name: string): readonly Note[] {
    const word = `${name.replaceAll(/[^\w]/g, '\\$&')}(?![\\w-])`;
    const mention = new RegExp(`(?<![\\w.-])${word}`);
    const declaration = new RegExp(
      `(?:\\b(?:type|attribute|role|attribute_role|bool|tunable)\\s+|\\b(?:declare\\w*|gen_bool|gen_user)\\(\\s*)${word}`,
    );
    const having = this.#modulesOff.filter(({ text }) => mention.test(text));
    const module = having.find(({ text }) => declaration.test(text)) ?? having.find(({ isNamed }) => isNamed);
    if (module === undefined) return [];
    return [{ message: `module \`${module.name}\` speaks of it, ${module.isNamed ? OFF : UNNAMED}` }];
  }

  /** Joins what is said of names that other releases have into one, where they are many. */
  gather(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
    const all = [...this.#found.values()].flatMap((names) => [...names.values()]);
    if (this.#release === undefined || all.length < MANY) return diagnostics;
    const isOfThem = ({ notes }: Diagnostic): boolean => notes.some(({ message }) => message.startsWith(KNOWN));
    const fitting = all.reduce((some, releases) => some.filter((release) => releases.includes(release)));
    const notes = [...this.#found].map(([what, names]) => ({ message: `${what}: ${list(names.keys())}` }));
    notes.push({
      message:
        fitting.length === 0
          ? 'no release has all of them'
          : `the policy is for Xen ${releasesText(fitting)}: compile it with \`--xen\`, or leave out what the older release does not have`,
    });
    const origin = diagnostics.find(isOfThem)?.origin;
    const extra = { release: this.#release, count: all.length };
    return [messages['other-release'](origin, extra, { notes }), ...diagnostics.filter((one) => !isOfThem(one))];
  }
}
