/** Length from which two edits are allowed. Short names are close to unrelated ones, such as HOME to HOST. */
const LONG_NAME = 12;

/**
 * Finds names of an environment that are one edit away from a setting: a letter added, missing, wrong or
 * swapped with its neighbour. Names of 12 letters or more may be two edits away.
 */
export function findMisspelt(
  names: readonly string[],
  settings: readonly string[],
): { readonly name: string; readonly meant: string }[] {
  const known = new Set(settings);
  return names.flatMap((name) => {
    if (known.has(name)) return [];
    const limit = name.length < LONG_NAME ? 1 : 2;
    const meant = settings.find(
      (setting) =>
        Math.abs(setting.length - name.length) <= limit && editDistance(name.toUpperCase(), setting) <= limit,
    );
    return meant === undefined || meant === name ? [] : [{ name, meant }];
  });
}

/** Returns the restricted Damerau-Levenshtein distance (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let twoBefore: number[] = [];
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(
        (row[j - 1] as number) + 1,
        (before[j] as number) + 1,
        (before[j - 1] as number) + (isSame ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (twoBefore[j - 2] as number) + 1);
      row.push(least);
    }
    twoBefore = before;
    before = row;
  }
  return before[b.length] as number;
}
