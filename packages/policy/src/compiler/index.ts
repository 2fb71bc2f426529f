/**
 * The compiler: policy directories and policy texts to policydb and bytes.
 *
 * Imports: `text`, `m4`, `language`, `policydb`, `releases`.
 * Start reading at `compileDirectory` in `pipeline.ts`; from there, `compileTree`.
 *
 * @module
 */
export type { CompileStage } from './compile-tree.ts';
export { expandCalls, type MacroSources, macroSources } from './expand-calls.ts';
export { type KeptPolicy, putTogether, takeApart } from './kept-policy.ts';
export {
  binaryAgain,
  type CompiledPolicy,
  type CompileOptions,
  compileDirectory,
  compileText,
  expandDirectory,
  expandSource,
  m4Definitions,
} from './pipeline.ts';
export type { PolicyFiles } from './policy-sources.ts';
export { ruleOrigin } from './rule-origin.ts';
