/** Decodes text whose encoding is not known for certain. */

/**
 * Decodes UTF-8; null when the bytes are not UTF-8. A byte order mark is kept, so that encoding the text
 * gives the same bytes.
 */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Decodes UTF-8, or Windows-1252 when the bytes are not UTF-8, and removes a byte order mark. Most programs
 * write UTF-8 even when the format demands another encoding. Windows-1252 can decode any bytes (WHATWG
 * Encoding Standard).
 */
export function decodeText(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes) ?? new TextDecoder('windows-1252').decode(bytes);
  return text.replace(/^\uFEFF/, '');
}
