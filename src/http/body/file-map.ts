/** The part "map" of a form: it says which variables each file is for. */
import type { InputError } from '../../errors.ts';
import { badForm, tooManyFiles } from './form-errors.ts';

export type FileMap = Readonly<Record<string, unknown>>;

/**
 * Returns what is wrong with a map; null: nothing. Each file needs variables of its own that are null so far.
 */
export function faultOfMap(map: FileMap, operations: unknown, maxFiles: number): InputError | null {
  const taken = new Set<string>();
  const entries = Object.entries(map);
  if (entries.length > maxFiles) return tooManyFiles(maxFiles);
  for (const [name, paths] of entries) {
    const part = JSON.stringify(name.slice(0, 100));
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string'))
      return badForm(`The map gives the file ${part} no list of paths, such as ["variables.input.file"].`);
    if (paths.length === 0) return badForm(`The map gives the file ${part} no path.`);
    for (const path of paths as string[]) {
      const shown = JSON.stringify(path.slice(0, 100));
      if (taken.has(path)) return badForm(`The map has the path ${shown} twice.`);
      taken.add(path);
      if (!leadsToNull(path, operations))
        return badForm(`The map puts ${part} at ${shown}, where no variable is null.`);
    }
  }
  return null;
}

/**
 * Follows own properties only, and only below `variables`: a path could reach the prototype of an object
 * otherwise.
 */
function leadsToNull(path: string, operations: unknown): boolean {
  const steps = path.split('.');
  if (steps[0] !== 'variables') return false;
  let value = operations;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
    value = (value as Record<string, unknown>)[step];
  }
  return value === null;
}
