const KEY = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * Returns whether a text can be a key: segments of ASCII letters, digits, `.`, `_` and `-`, none of which
 * begins with a dot.
 */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/**
 * Rejects anything else as a defect of the caller: keys are made of hashes, and `..` would lead out of the
 * store.
 * @throws TypeError
 */
export function requireKey(key: string): string {
  if (!isKey(key)) throw new TypeError(`Not a key: ${JSON.stringify(key)}`);
  return key;
}
