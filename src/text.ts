/** Bytes that are text, of an encoding that nobody says for certain. */

/** The text, which has the same bytes again as UTF-8 (a byte order mark included); or null where they are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * The text, without a byte order mark: as UTF-8 where it is, for most programs write it whatever a format says; else as Windows-1252, which any
 * bytes are (WHATWG Encoding Standard).
 */
export function decodeText(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes) ?? new TextDecoder('windows-1252').decode(bytes);
  return text.replace(/^\uFEFF/, '');
}
