/**
 * `dewar decompile`: a binary policy as text that compiles to the same bytes.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import { type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { hasErrors, SourceText } from '@dewar/policy/text';
import { EXIT } from '../failures.ts';
import { refuseToOverwrite, writeWhole } from '../files.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { print, printDiagnostics, type Terminal } from '../terminal.ts';

export interface DecompileFlags {
  /** Where the text goes; the standard output where nothing is said. */
  readonly output: string | undefined;
  readonly isJson: boolean;
  readonly release: XenReleaseName | undefined;
  readonly compile: CompileOptions;
}

export async function runDecompile(policy: string, flags: DecompileFlags, terminal: Terminal): Promise<number> {
  const { checkRecompiled, decompilePolicy } = await import('@dewar/policy/decompiler');
  const { compileText } = await import('@dewar/policy/compiler');
  const reading = await readPolicy(policy, flags.compile);
  const { name, bytes, diagnostics: found, files } = reading;
  if (flags.output !== undefined) refuseToOverwrite(flags.output, files);
  const fail = (diagnostics: typeof found): number => {
    tellPolicyFaults(name, diagnostics, flags.isJson, terminal);
    return EXIT.problem;
  };
  const read = await readBinary(reading);
  if (bytes === undefined || read === undefined) return fail(found);
  if ('diagnostic' in read) return fail([read.diagnostic]);
  const { version } = read;
  const release = flags.release === undefined ? {} : { release: xenRelease(flags.release).name };
  const { text, diagnostics: lost } = decompilePolicy(read.policy, { version, ...release });
  const again = compileText(new SourceText(`${name}.conf`, text), {
    version,
    isMls: read.policy.isMls,
    handleUnknown: read.policy.handleUnknown,
  });
  const changed = checkRecompiled(bytes, again);
  const diagnostics = changed === undefined ? lost : [...lost, changed];
  if (flags.output !== undefined && flags.output !== '-') writeWhole(flags.output, Buffer.from(text, 'latin1'));
  if (flags.isJson) {
    const isWritten = flags.output !== undefined && flags.output !== '-';
    print(
      terminal.out,
      jsonText({
        policy: name,
        outcome: 'done',
        version,
        isMls: read.policy.isMls,
        handleUnknown: read.policy.handleUnknown,
        isSame: changed === undefined,
        output: isWritten ? flags.output : undefined,
        text: isWritten ? undefined : text,
        diagnostics: diagnostics.map(diagnosticJson),
      }),
    );
  } else {
    if (flags.output === undefined || flags.output === '-') print(terminal.out, text);
    printDiagnostics(terminal, diagnostics);
  }
  return hasErrors(diagnostics) ? EXIT.problem : EXIT.done;
}
