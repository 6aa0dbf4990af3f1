/**
 * Counts memory that cannot be freed yet: bytes that clients have yet to receive, and bytes that are being
 * read.
 */
export interface UnsentBytes {
  /** Whether the count is at its limit. */
  readonly isFull: boolean;
  /**
   * Counts the memory behind a buffer until the returned function is called. Memory with several readers
   * counts once.
   * @returns ends the count; safe to call twice.
   */
  hold(content: Buffer): () => void;
  /** Adds to the count, or subtracts from it if negative. */
  add(bytes: number): void;
}

export function makeUnsentBytes(maxBytes: number): UnsentBytes {
  let held = 0;
  const readers = new Map<ArrayBufferLike, number>();
  return {
    get isFull() {
      return held >= maxBytes;
    },
    add(bytes) {
      held += bytes;
    },
    hold({ buffer }) {
      const before = readers.get(buffer) ?? 0;
      if (before === 0) held += buffer.byteLength;
      readers.set(buffer, before + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (readers.get(buffer) ?? 1) - 1;
        if (left > 0) readers.set(buffer, left);
        else {
          readers.delete(buffer);
          held -= buffer.byteLength;
        }
      };
    },
  };
}
