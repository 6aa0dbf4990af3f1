/**
 * Buffers for what is read whole and sent at once. The system has to make room for each megabyte anew that a process takes, and clears it; so buffers
 * are used again. Counts what is out: however many clients are slow, no more than so many bytes wait for them.
 */
export interface Buffers {
  /** Of at least so many bytes; null where too much is out. */
  take(bytes: number): Buffer | null;
  /** Once nobody reads or writes it any more. */
  give(buffer: Buffer): void;
  /** For one that somebody may still read: it is counted out, and not used again. */
  lose(buffer: Buffer): void;
  /** Bytes that are out. */
  readonly out: number;
}

const SMALLEST = 16 * 1024;

export function makeBuffers(options: { maxOutBytes: number; maxKeptBytes: number }): Buffers {
  const free = new Map<number, Buffer[]>();
  let out = 0;
  let kept = 0;
  /** The next power of two, or one and a half of one. */
  const roundUp = (bytes: number) => {
    let size = SMALLEST;
    while (size < bytes) {
      if (size + size / 2 >= bytes) return size + size / 2;
      size *= 2;
    }
    return size;
  };
  return {
    get out() {
      return out;
    },
    take(bytes) {
      const size = roundUp(bytes);
      if (out + size > options.maxOutBytes) return null;
      out += size;
      const buffer = free.get(size)?.pop();
      if (!buffer) return Buffer.allocUnsafeSlow(size);
      kept -= size;
      return buffer;
    },
    give(buffer) {
      const size = buffer.length;
      out -= size;
      if (kept + size > options.maxKeptBytes) return;
      kept += size;
      const those = free.get(size);
      if (those) those.push(buffer);
      else free.set(size, [buffer]);
    },
    lose(buffer) {
      out -= buffer.length;
    },
  };
}
