/**
 * `dewar compile` and `dewar m4`: from policy text to what Xen loads.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CompileOptions } from '@dewar/policy/compiler';
import { BASELINE_RELEASE, nearestXenRelease, xenRelease } from '@dewar/policy/releases';
import { hasErrors, SourceText } from '@dewar/policy/text';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { EXIT, FileError, UsageError } from '../failures.ts';
import { readLatin1, refuseToOverwrite, writeWhole } from '../files.ts';
import { readPolicy, sha256 } from '../policy-input.ts';
import { makeProgress } from '../progress.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { byteText, coloursFor, print, printLine, type Terminal } from '../terminal.ts';

export interface CompileFlags {
  /** Where the binary goes; without it the policy is only checked. */
  readonly output: string | undefined;
  /** `json` tells of the binary too; the other formats for programs hold diagnostics only. */
  readonly format: DiagnosticFormat;
  readonly isQuiet: boolean;
  /** Dewar's own version. */
  readonly version: string;
  readonly compile: CompileOptions;
}

export async function runCompile(policy: string | undefined, flags: CompileFlags, terminal: Terminal): Promise<number> {
  return (await compileOnce(policy, flags, terminal)).code;
}

/** `dewar compile --watch`: compiles again after each change, until it is interrupted. */
export async function runWatchedCompile(
  policy: string | undefined,
  flags: CompileFlags,
  terminal: Terminal,
): Promise<number> {
  if (policy === '-') throw new UsageError('the standard input cannot be watched');
  const { watchCommand } = await import('../watching.ts');
  return watchCommand(() => compileOnce(policy, flags, terminal), flags.output, terminal);
}

async function compileOnce(
  policy: string | undefined,
  flags: CompileFlags,
  terminal: Terminal,
): Promise<{ readonly files: readonly string[]; readonly code: number }> {
  const progress = makeProgress(terminal.err, byteText(policy ?? 'example policy'));
  const { name, diagnostics, errorOutput, files, compiled } = await readPolicy(
    policy,
    { ...flags.compile, onStage: progress.onStage },
    { isFresh: true },
  );
  progress.end();
  if (compiled === undefined)
    throw new UsageError(`\`${policy ?? name}\` is compiled already; \`dewar decompile\` makes text of it`);
  if (flags.output !== undefined) refuseToOverwrite(flags.output, files);
  if (errorOutput !== '') print(terminal.err, errorOutput);
  // In parts, as they lie: most of a large policy is one table.
  const { parts } = compiled;
  const isDone = parts !== undefined && !hasErrors(diagnostics);
  if (isDone && flags.output !== undefined) {
    if (flags.output === '-') for (const part of parts) terminal.out.write(part);
    else writeWhole(flags.output, parts);
  }
  const size = (parts ?? []).reduce((sum, { length }) => sum + length, 0);
  const { format, version: ownVersion } = flags;
  // The binary and a report cannot share the standard output.
  const stream = flags.output === '-' ? terminal.err : terminal.out;
  if (format === 'json' && flags.output !== '-') {
    print(
      terminal.out,
      jsonText({
        policy: name,
        outcome: isDone ? 'done' : 'failed',
        bytes: isDone ? size : undefined,
        sha256: isDone ? sha256(...parts) : undefined,
        output: isDone ? flags.output : undefined,
        diagnostics: diagnostics.map(diagnosticJson),
      }),
    );
  } else {
    diagnosticReport(diagnostics, { format, version: ownVersion, subject: name, stream }, terminal);
    const count = diagnostics.filter(({ severity }) => severity === 'error').length;
    if (format !== 'text') return { files, code: isDone ? EXIT.done : EXIT.problem };
    if (!isDone) printLine(terminal.err, `${name}: ${count} error${count === 1 ? '' : 's'}; nothing was written`);
    else if (!flags.isQuiet && flags.output !== '-') {
      const { release = BASELINE_RELEASE } = flags.compile;
      const version = flags.compile.version ?? xenRelease(release).newestPolicyVersion;
      const where = flags.output === undefined ? `${name} is in order` : flags.output;
      const mls = flags.compile.isMls === true ? ' with MLS' : '';
      printLine(terminal.out, `${where}: ${size} bytes, policy version ${version}${mls}, sha256 ${sha256(...parts)}`);
      if (flags.compile.release === undefined) await tellOfOtherXen(terminal);
    }
  }
  return { files, code: isDone ? EXIT.done : EXIT.problem };
}

/** Says, on a host of another Xen than the one that was compiled for unasked, how to compile for this one. */
async function tellOfOtherXen({ err, realHost }: Terminal): Promise<void> {
  const root = realHost?.root ?? '/';
  if (!existsSync(join(root, 'sys/hypervisor/version'))) return;
  const { runningVersion } = await import('@dewar/xen/availability');
  const version = runningVersion(root);
  const nearest = version === undefined ? undefined : nearestXenRelease(version);
  if (nearest === undefined || nearest === BASELINE_RELEASE) return;
  const note = coloursFor(err).warning('note:');
  printLine(
    err,
    `${note} this host runs Xen ${version}, and the policy is one for ${BASELINE_RELEASE}: \`--xen ${nearest}\``,
  );
}

export interface M4Flags {
  readonly definitions: readonly { readonly name: string; readonly value: string }[];
  readonly syncLines: boolean;
  /** Folders in which `include` looks after the current one. */
  readonly include: readonly string[];
  /** A format for programs prints the diagnostics instead of the expanded text. */
  readonly format: DiagnosticFormat;
  /** Dewar's own version. */
  readonly version: string;
}

export async function runM4Command(files: readonly string[], flags: M4Flags, terminal: Terminal): Promise<number> {
  const { runM4 } = await import('@dewar/policy/m4');
  const sources = files.map((file) => new SourceText(byteText(file === '-' ? 'stdin' : file), readLatin1(file)));
  const result = runM4(sources, {
    definitions: flags.definitions,
    syncLines: flags.syncLines,
    readInclude: (name) => {
      const path = Buffer.from(name, 'latin1').toString('utf8');
      for (const folder of ['', ...flags.include]) {
        try {
          return new SourceText(name, readLatin1(join(folder, path)));
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
        }
      }
      return undefined;
    },
  });
  const { format, version } = flags;
  if (format === 'text') print(terminal.out, result.output.text);
  if (result.errorOutput !== '') print(terminal.err, result.errorOutput);
  const subject = sources[0]?.name ?? 'stdin';
  diagnosticReport(result.diagnostics, { format, version, subject, stream: terminal.out }, terminal);
  return result.exitStatus;
}
