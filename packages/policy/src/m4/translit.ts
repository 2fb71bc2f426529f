/**
 * The character maps of `translit`.
 *
 * @module
 */

/** Writes out ranges such as `a-e`, ascending or descending. A dash at either end stands for itself. */
export function expandRanges(text: string): string {
  if (!text.includes('-', 1)) return text;
  let result = '';
  let previous = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 45 || previous === 0) {
      result += text[at];
      previous = code;
      continue;
    }
    at++;
    if (at === text.length) return `${result}-`;
    const last = text.charCodeAt(at);
    if (previous <= last) for (let c = previous + 1; c <= last; c++) result += String.fromCharCode(c);
    else for (let c = previous - 1; c >= last; c--) result += String.fromCharCode(c);
    previous = last;
  }
  return result;
}

/** What each character becomes; a character without a partner is deleted. The first mention counts. */
export function translitMap(from: string, to: string): Map<string, string> {
  const map = new Map<string, string>();
  for (let at = 0; at < from.length; at++) {
    const character = from[at] ?? '';
    if (!map.has(character)) map.set(character, to[at] ?? '');
  }
  return map;
}
