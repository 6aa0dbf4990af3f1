/** Reads and changes the headers of the parts of a form before busboy reads them. */

/** Headers of a part by their names in lower case, as busboy passes them on. */
export type PartHeaders = Record<string, string[] | undefined>;

/**
 * Calls `listen` with the headers of each part before the parser reads them; it may change them. busboy 1.6.0
 * has no hook for that. It makes a new header parser (`_hparser`) for each part, and that parser has a
 * callback (`cb`).
 */
export function onPartHeaders(parser: object, listen: (headers: PartHeaders) => void): void {
  type HeaderParser = { cb: (headers: PartHeaders) => void };
  const known = new WeakSet<HeaderParser>();
  let current: HeaderParser | null = null;
  Object.defineProperty(parser, '_hparser', {
    get: () => current,
    set(next: HeaderParser | null) {
      current = next;
      if (next === null || known.has(next)) return;
      known.add(next);
      const { cb } = next;
      next.cb = (headers) => {
        listen(headers);
        cb.call(next, headers);
      };
    },
  });
}

/** A quoted value without its end goes to the end of the header, so that matching stays linear. */
const PARAMETER = /;\s*([^=;\s]+)\s*=\s*("(?:\\.|[^"\\])*(?:"|\\?$)|[^;]*)/g;

/**
 * Returns the names of a part and of its file as they are written; null: none. `filename*` counts as a file
 * name.
 */
export function readDisposition(headers: PartHeaders): { name: string | null; filename: string | null } {
  const [text = ''] = headers['content-disposition'] ?? [];
  const parameters = new Map<string, string>();
  for (const [, key = '', value = ''] of text.matchAll(PARAMETER))
    parameters.set(key.toLowerCase(), unquote(value.trim()));
  return {
    name: parameters.get('name') ?? null,
    filename: parameters.get('filename*') ?? parameters.get('filename') ?? null,
  };
}

/**
 * Replaces empty names. Removes the file name if `names.filename` is null. Keeps all other text as it is
 * written.
 */
export function writeDisposition(
  headers: PartHeaders,
  names: { name: string; filename: string | null },
): void {
  const [text = ''] = headers['content-disposition'] ?? [];
  let hasFilename = false;
  const written = text.replace(PARAMETER, (parameter, key: string, value: string) => {
    const isFilename = /^filename\*?$/i.test(key);
    hasFilename ||= isFilename && names.filename !== null;
    if (isFilename && names.filename === null) return '';
    if (unquote(value.trim()) !== '') return parameter;
    if (isFilename) return `; ${key}="${names.filename}"`;
    return /^name$/i.test(key) ? `; ${key}="${names.name}"` : parameter;
  });
  const filename = names.filename === null || hasFilename ? '' : `; filename="${names.filename}"`;
  headers['content-disposition'] = [written + filename];
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.replace(/^"|"$/g, '').replaceAll(/\\(["\\])/g, '$1') : value;
}
