/** A short name is near to many that have nothing to do with us: HOME to HOST. */
const LONG = 12;

/**
 * Names of the environment that are no setting, but nearly one: one letter added, left out, wrong or changed with its neighbour; two of them in a
 * long name. A setting that nobody reads would be missed in silence.
 */
export function findMisspelt(
  names: readonly string[],
  settings: readonly string[],
): { readonly name: string; readonly meant: string }[] {
  const known = new Set(settings);
  return names.flatMap((name) => {
    if (known.has(name)) return [];
    const limit = name.length < LONG ? 1 : 2;
    const meant = settings.find(
      (setting) =>
        Math.abs(setting.length - name.length) <= limit && editDistance(name.toUpperCase(), setting) <= limit,
    );
    return meant === undefined || meant === name ? [] : [{ name, meant }];
  });
}

/** Damerau-Levenshtein, restricted (optimal string alignment). */
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
