import { KiB, MiB } from '../config.ts';
import type { Pieces } from '../storage/picture/containers/pieces.ts';

export const LIMITS = {
  /** The most that one text, EXIF block or XMP packet may have, compressed or not. */
  partBytes: 1 * MiB,
  /** The most of all of them together that is read from one file. */
  totalBytes: 4 * MiB,
  /** The most parts that are read from one file. */
  parts: 200,
  /** The most that is kept of one text, and of all of them as JSON. */
  keptTextBytes: 64 * KiB,
  keptBytes: 256 * KiB,
} as const;

/** What was found in a file, before anybody asks what it means. Everything is counted against LIMITS. */
export class Embedded {
  /** Texts by the names that the file gives them; the first of a name counts. */
  readonly texts = new Map<string, string>();
  /** A TIFF structure. */
  exif: Buffer | null = null;
  xmp: string | null = null;
  hasContentCredentials = false;
  #bytes = 0;
  #parts = 0;

  /** Whether a part of so many bytes is within the limits; counts it when it is. */
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

/** The next `count` bytes as a copy, or null after passing over them, where they are too many. */
export async function takePart(file: Pieces, embedded: Embedded, count: number): Promise<Buffer | null> {
  // Asked before anything is counted: a length that the file does not have ends the reading.
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

/** Text without what PostgreSQL refuses: NUL, and halves of surrogate pairs. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().trim();
}

/** The beginning of a text, of at most so many bytes in UTF-8. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes);
  // A character that the cut goes through is left out, not shown as a broken one.
  return new TextDecoder().decode(bytes, { stream: true });
}
