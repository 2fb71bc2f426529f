/**
 * Finds the name a user probably meant.
 *
 * @module
 */

/** Edits needed to turn `a` into `b` (insert, delete, replace, swap neighbours); `limit + 1` when there are more than `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let twoAgo: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let best = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, (twoAgo[j - 2] ?? 0) + 1);
      row.push(value);
      if (value < best) best = value;
    }
    if (best > limit) return limit + 1;
    twoAgo = previous;
    previous = row;
  }
  return previous[b.length] ?? limit + 1;
}

function slips(length: number): number {
  return length <= 3 ? 1 : length <= 8 ? 2 : 3;
}

/**
 * The candidate that differs from `name` in case only; else the nearest one, if one is near enough to be a slip of the hand; else one that begins with all of
 * `name` and goes on with another word, as `use_device_iommu` does. Ties go to the first in order.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // An ending that names share by custom (`_t`, `_r`) makes none of them near.
  const ending = /_[a-z]$/.exec(name)?.[0] ?? '';
  const ofStem = slips(name.length - ending.length);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  let longer: string | undefined;
  for (const candidate of candidates) {
    if (candidate === name) continue;
    if (candidate.toLowerCase() === name.toLowerCase()) return candidate;
    const limit = ending !== '' && candidate.endsWith(ending) ? ofStem : slips(name.length);
    const distance = editDistance(name, candidate, Math.min(limit, bestDistance));
    if (distance <= limit && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
    if (name.length > 3 && candidate.startsWith(`${name}_`)) longer ??= candidate;
  }
  return best ?? longer;
}
