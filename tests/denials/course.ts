/**
 * What came of an operation, on real Xen or on a simulated host, in the form in which the two are compared.
 *
 * @module
 */

/** What xl said and how it ended, what Xen denied, and what stayed. */
export interface Course {
  readonly said: readonly string[];
  readonly exitCode: number;
  /** In order; those that come again stand where they came first. */
  readonly denials: readonly string[];
  /** Of each domain but dom0: name, state, label. */
  readonly left: readonly string[];
}

/** Takes the number of a guest out of a denial: it is another one each time. */
function anyGuest(denial: string): string {
  return denial
    .slice(denial.indexOf('avc:'))
    .replace(/=d[1-9]\d*\b/g, '=dN')
    .replace(/ {2,}/g, ' ');
}

/** Takes out of what was said what is another number each time: guests, frames, the size of a configuration as text. */
function anyNumbers(line: string): string {
  return (
    line
      .replace(/\b((?:[Dd]omain|[Dd]om|domid|d)[ =]?)[1-9]\d*\b/g, '$1N')
      .replace(/\b(mfn|pfn|pages) (?:0x[0-9a-f]+(?:\+0x[0-9a-f]+)?|\d+)/g, '$1 N')
      .replace(/(info 0x3\/0x0\/)\d+/, '$1N')
      // libxl names an errno here that is of something else.
      .replace(/(libxl__userdata_path: unable to find domain info for domain N): .*/, '$1')
  );
}

/** Takes out of a state whether the guest was running or waiting for an event at the moment. */
function anyMoment(line: string): string {
  return line
    .replace(/ \d+$/, '')
    .replace(/ [r-][b-]---- /, ' runs ')
    .replace(/ [r-][b-]p/, ' --p');
}

/** Brings a course into the common form. */
export function course(raw: Course): Course {
  return {
    said: raw.said.filter((line) => !line.startsWith('xc: progress')).map(anyNumbers),
    exitCode: raw.exitCode,
    denials: [...new Set(raw.denials.map(anyGuest))],
    left: raw.left.map(anyMoment),
  };
}
