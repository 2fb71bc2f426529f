/**
 * Users that a policy directory declares too late.
 *
 * `gen_user` only remembers a user; `gen_all_users`, mostly in `policy/users`, writes all that are remembered. What is
 * remembered behind that is lost, and m4 and checkpolicy say nothing.
 *
 * @module
 */
import type { SyntaxTree } from '../language/index.ts';
import { wordOf } from '../language/index.ts';
import type { Report, SourceText } from '../text/index.ts';
import { source as messages } from './diagnostics.ts';

const CALL = /\bgen_user\([ \t]*`?([A-Za-z]\w*)/g;

/** Whether a place in a text is in a comment, of the policy or of m4. */
function isComment(text: string, at: number): boolean {
  return /#|\bdnl\b/.test(text.slice(text.lastIndexOf('\n', at - 1) + 1, at));
}

/** Reports calls of `gen_user` behind the one of `gen_all_users` whose users the policy does not have. */
export function checkLateUsers(
  sources: readonly SourceText[],
  { statements, tokens }: SyntaxTree,
  report: Report,
): void {
  const writing = sources.findIndex(({ name }) => /(?:^|\/)policy\/users$/.test(name));
  const users = sources[writing];
  const call = users === undefined ? null : /^[ \t]*gen_all_users\b/m.exec(users.text);
  if (users === undefined || call === null) return;
  const declared = new Set(statements.flatMap((one) => (one.kind === 'user' ? [wordOf(tokens, one.name)] : [])));
  for (const source of sources.slice(writing)) {
    for (const { 1: user = '', index } of source.text.matchAll(CALL)) {
      const isBehind = source !== users || index > call.index;
      if (!isBehind || declared.has(user) || isComment(source.text, index)) continue;
      const start = source.text.indexOf(user, index + 'gen_user('.length);
      const there = { source: users, start: call.index, end: call.index + call[0].length };
      const notes = [{ message: 'all users are written here', origin: { kind: 'written', span: there } as const }];
      const span = { source, start, end: start + user.length };
      report(messages['late-user']({ kind: 'written', span }, { user }, { notes }));
    }
  }
}
