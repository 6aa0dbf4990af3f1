/**
 * Reusable buffers for objects that are read whole and sent at once. The system clears each new megabyte that
 * a process allocates, so buffers are kept for reuse. A limit on the bytes in use bounds what slow clients
 * can hold.
 */
export interface Buffers {
  /** Returns a buffer of at least `bytes`; null when the limit is reached. */
  take(bytes: number): Buffer | null;
  /** Takes back a buffer that has no reader and no writer any more. */
  give(buffer: Buffer): void;
  /** Stops counting a buffer that may still have a reader. It is not reused. */
  lose(buffer: Buffer): void;
  /** Bytes in use. */
  readonly out: number;
}

const SMALLEST = 16 * 1024;

/**
 * @param options.maxOutBytes limit of the bytes in use.
 * @param options.maxKeptBytes limit of the bytes kept for reuse.
 */
export function makeBuffers(options: { maxOutBytes: number; maxKeptBytes: number }): Buffers {
  const free = new Map<number, Buffer[]>();
  let out = 0;
  let kept = 0;
  /** Returns the next power of two, or one and a half times a power of two. */
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
      const ofThisSize = free.get(size);
      if (ofThisSize) ofThisSize.push(buffer);
      else free.set(size, [buffer]);
    },
    lose(buffer) {
      out -= buffer.length;
    },
  };
}
