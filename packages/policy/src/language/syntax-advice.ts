/**
 * What is to be said of a token that does not fit: what it was mistaken for, and what stands here instead.
 *
 * Start reading at `adviceOn`.
 *
 * @module
 */
import { type Fix, type Note, nearestName, type Span } from '../text/index.ts';
import { originOf, type Token, TokenKind, type Tokens, textOf, wordOf } from './tokens.ts';

/** A statement that cannot go on. */
export interface Impasse {
  readonly tokens: Tokens;
  /** The token that does not fit. */
  readonly at: Token;
  /** What was expected, as the message says it. */
  readonly expected: string;
  /** The first word of the statement; '' where none has begun. */
  readonly statement: string;
  /** The brace or parenthesis that is open, and was opened by this statement. */
  readonly open: Token | undefined;
  /** Whether the token closes a brace or parenthesis that stands before it. */
  readonly closes: boolean;
  /** Words that may stand here. */
  readonly words: readonly string[];
  /** How what stands here is written, where the statement knows. */
  readonly form: string | undefined;
}

export interface Advice {
  readonly notes: readonly Note[];
  readonly fixes: readonly Fix[];
}

/** Statements that say one thing of one name, with what that is. */
const SINGLE: ReadonlyMap<string, string> = new Map([
  ['attribute', 'one `attribute` statement declares one attribute'],
  ['attribute_role', 'one `attribute_role` statement declares one attribute'],
  ['type', 'one `type` statement declares one type; its attributes stand behind commas: `type name, attribute;`'],
  ['bool', 'one `bool` statement declares one boolean'],
  ['tunable', 'one `tunable` statement declares one tunable'],
  ['permissive', 'one `permissive` statement is of one type'],
  ['policycap', 'one `policycap` statement is of one capability'],
]);

const LISTS: ReadonlySet<string> = new Set(['typeattribute', 'typebounds', 'roleattribute']);

const CIL =
  /^\((?:allow|auditallow|dontaudit|neverallow|type\w*|block\w*|class\w*|role\w*|user\w*|macro|call|sid\w*)[\s(]/;

const TRUTH: ReadonlyMap<string, string> = new Map([
  ['1', 'true'],
  ['on', 'true'],
  ['yes', 'true'],
  ['0', 'false'],
  ['off', 'false'],
  ['no', 'false'],
]);

function say(message: string): Note[] {
  return [{ message }];
}

/** Where a person wrote all of a token; undefined for what a macro made. */
function writtenSpan(tokens: Tokens, at: Token): Span | undefined {
  const origin = originOf(tokens, at);
  const text = textOf(tokens, at);
  const { source, start, end } = origin.span;
  return origin.kind === 'written' && source.text.slice(start, end) === text ? origin.span : undefined;
}

function insteadOf({ tokens, at }: Impasse, title: string, newText: string): Fix {
  const span = writtenSpan(tokens, at);
  return { title, edits: span === undefined ? [] : [{ span, newText }] };
}

/** The fix that puts a sign behind the token before. */
function behindLast({ tokens, at }: Impasse, title: string, sign: string): Fix {
  const span = writtenSpan(tokens, at - 1);
  const edits =
    span === undefined ? [] : [{ span: { source: span.source, start: span.end, end: span.end }, newText: sign }];
  return { title, edits };
}

/** Of signs that stand at a wrong place or too often. */
function notesOnSign(impasse: Impasse, found: string): Note[] {
  const { tokens, at, expected, statement, open, closes } = impasse;
  const isStatement = expected === 'a statement';
  const before = at > 0 ? textOf(tokens, at - 1) : '';
  if (
    found.startsWith('/*') ||
    found.startsWith('//') ||
    (isStatement && found === '-' && textOf(tokens, at + 1) === '-')
  )
    return say('a comment begins with `#`');
  if (isStatement && found === '(') {
    const { source, start } = originOf(tokens, at).span;
    return CIL.test(source.text.slice(start, start + 40))
      ? say(
          'this is CIL, which `checkpolicy` does not read: a rule is written as `allow source target:class permission;`',
        )
      : [];
  }
  if (isStatement && found === '{') return say('a block stands behind `if (name)`, `else` or `optional`');
  if ((found === ')' || found === '}') && !closes) return say(`no \`${found === ')' ? '(' : '{'}\` is open here`);
  if (found === ',') {
    if (open !== undefined) return say('the names in a set are not separated by commas');
    return say(SINGLE.get(statement) ?? 'several names stand in braces, without commas: `{ name name }`');
  }
  if (found === ';' && open !== undefined && wordOf(tokens, open) === '{' && textOf(tokens, at + 1) === '}')
    return say('the names in a set are not ended by `;`: it stands behind the `}`');
  if (found === ':' && tokens.count > at && at > 2 && textOf(tokens, at - 2) === '-')
    return say(
      `\`${textOf(tokens, at - 3)} - ${before}\` is one set here; what is taken out of a set stands in its braces: \`{ all -some }\``,
    );
  if (found === '{' && SINGLE.has(statement)) return say(SINGLE.get(statement) ?? '');
  return [];
}

/** How far the brace is looked for that closes a set which none opens. */
const LONGEST_SET = 1000;

/** The brace that is missing where names go on up to a `}`, as a fix; undefined where they do not. */
function unopenedSet(tokens: Tokens, at: Token): Fix | undefined {
  let end = at;
  while (tokens.kinds[end] === TokenKind.identifier && end - at < LONGEST_SET) end++;
  if (wordOf(tokens, end) !== '}') return undefined;
  const span = writtenSpan(tokens, at - 1);
  const edits =
    span === undefined ? [] : [{ span: { source: span.source, start: span.start, end: span.start }, newText: '{ ' }];
  return { title: `a \`{\` is missing before \`${textOf(tokens, at - 1)}\``, edits };
}

/** Of a name where another sign had to come first. */
function adviceOnName(impasse: Impasse, found: string): Advice {
  const { tokens, at, expected, statement } = impasse;
  const isBehindName = at > 0 && tokens.kinds[at - 1] === TokenKind.identifier;
  const beginning = isBehindName && /^`[:;]`$/.test(expected) ? unopenedSet(tokens, at) : undefined;
  if (beginning !== undefined) return { notes: [], fixes: [beginning] };
  if (expected === '`:`' && isBehindName) {
    return textOf(tokens, at + 1) === ':'
      ? { notes: say('several names stand in braces: `{ name name }`'), fixes: [] }
      : { notes: [], fixes: [behindLast(impasse, 'a `:` is missing before the class', ':')] };
  }
  if (expected !== '`;`' || !isBehindName) return { notes: [], fixes: [] };
  if (found === 'alias')
    return { notes: say('`alias` stands before the attributes: `type name alias other, attribute;`'), fixes: [] };
  if (LISTS.has(statement)) return { notes: [], fixes: [behindLast(impasse, 'a `,` is missing here', ',')] };
  return { notes: say(SINGLE.get(statement) ?? 'several names stand in braces: `{ name name }`'), fixes: [] };
}

/** The word that was meant, where one that may stand here is near. */
function meantWord(impasse: Impasse, found: string): Fix[] {
  const truth = impasse.words.includes('true') ? TRUTH.get(found.toLowerCase()) : undefined;
  const near = truth ?? nearestName(found, impasse.words);
  return near === undefined ? [] : [insteadOf(impasse, `did you mean \`${near}\`?`, near)];
}

/** Says more about a token that does not fit. */
export function adviceOn(impasse: Impasse): Advice {
  const { tokens, at, expected, statement, open, form } = impasse;
  const found = textOf(tokens, at);
  const kind = tokens.kinds[at];
  const isWord = /^[A-Za-z]/.test(found);
  if (found.startsWith('::') && expected === '`:`') {
    const fixes = found === '::' ? [insteadOf(impasse, 'did you mean `:`?', ':')] : [];
    return { notes: fixes.length > 0 ? [] : say('a single `:` stands here'), fixes };
  }
  if (found === 'if' && at > 0 && wordOf(tokens, at - 1) === 'else')
    return {
      notes: say('there is no `else if`; a second `if` stands behind the block, with a condition of its own'),
      fixes: [],
    };
  const fixes = isWord || kind === TokenKind.number ? meantWord(impasse, found) : [];
  if (fixes.length > 0) return { notes: [], fixes };
  if (expected === '`{`' && (statement === 'if' || (at > 0 && wordOf(tokens, at - 1) === 'else')))
    return { notes: say('the rules under a condition stand in braces'), fixes };
  if (expected === 'a boolean' && (found === 'true' || found === 'false'))
    return { notes: say('a boolean stands alone, as in `name` or `!name`'), fixes };
  if (found.startsWith('"') && /^"[\w.:-]+"$/.test(found))
    return { notes: say('a name is written without quotes'), fixes };
  if (/^\d/.test(found) && !expected.includes('number') && expected !== 'a statement')
    return { notes: say('a name begins with a letter'), fixes };
  if (form !== undefined) return { notes: say(form), fixes };
  const ofSign = isWord ? adviceOnName(impasse, found) : { notes: notesOnSign(impasse, found), fixes };
  if (ofSign.notes.length > 0 || ofSign.fixes.length > 0) return ofSign;
  return { notes: open !== undefined && /`[})]`/.test(expected) ? notesOnOpen(tokens, open) : [], fixes };
}

/** Shows the brace or parenthesis that is open where something else than what closes it stands. */
export function notesOnOpen(tokens: Tokens, open: Token): Note[] {
  const isSet = wordOf(tokens, open) === '{';
  const message = isSet ? 'the set that begins here has no `}`' : 'the parenthesis that begins here has no `)`';
  return [{ message, origin: originOf(tokens, open) }];
}
