import { KiB, MiB } from '../config.ts';
import type { Pieces } from '../storage/picture/containers/pieces.ts';

/** Limits that protect memory and the database from hostile files. */
export const LIMITS = {
  /** Most bytes of one text, EXIF block or XMP packet, before and after decompression. */
  partBytes: 1 * MiB,
  /** Most bytes of all parts of one file. */
  totalBytes: 4 * MiB,
  /** Most parts of one file. */
  parts: 200,
  /** Most bytes that are kept of one text. */
  keptTextBytes: 64 * KiB,
  /** Most bytes that are kept of all texts, as JSON. */
  keptBytes: 256 * KiB,
} as const;

/** Raw parts that were found in a file, not yet interpreted. All of them count against LIMITS. */
export class Embedded {
  /** Texts by their names in the file. Later texts of the same name are ignored. */
  readonly texts = new Map<string, string>();
  /** EXIF, as a TIFF structure. */
  exif: Buffer | null = null;
  xmp: string | null = null;
  hasContentCredentials = false;
  #bytes = 0;
  #parts = 0;

  /** Returns whether one more part of `bytes` is within the limits. If so, counts it. */
  admits(bytes: number): boolean {
    if (bytes > LIMITS.partBytes || this.#bytes + bytes > LIMITS.totalBytes || this.#parts >= LIMITS.parts)
      return false;
    this.#bytes += bytes;
    this.#parts += 1;
    return true;
  }

  addText(name: string, text: string): void {
    const key = cleanText(name).slice(0, 100);
    if (key !== '' && !this.texts.has(key)) this.texts.set(key, text);
  }
}

/**
 * Copies the next `count` bytes of the file. When the limits do not admit them, skips them and returns null.
 * @throws when the file has fewer bytes
 */
export async function takePart(file: Pieces, embedded: Embedded, count: number): Promise<Buffer | null> {
  // Checked before the part is counted, so that a false length does not use up the limits.
  if (count > file.size - file.offset) throw file.damaged('a part is cut');
  if (!embedded.admits(count)) {
    file.skip(count, 'a part');
    return null;
  }
  const part = Buffer.allocUnsafe(count);
  for (let filled = 0; filled < count; ) {
    const some = await file.takeSome(count - filled, 'a part');
    some.copy(part, filled);
    filled += some.length;
  }
  return part;
}

/** Removes what PostgreSQL rejects: NUL characters and lone surrogates. Also trims the text. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().trim();
}

/** Cuts a text to at most `maxBytes` bytes of UTF-8. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes);
  // `stream` drops a character that is cut in half.
  return new TextDecoder().decode(bytes, { stream: true });
}
