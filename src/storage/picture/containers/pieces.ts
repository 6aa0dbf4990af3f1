import { FixativeError, TooLargeError } from '../../../errors.ts';
import type { LocalFile, RandomReader } from '../../files/local-file.ts';

/**
 * The most frames that an animation may have: at ten a second, a quarter of an hour. Decoders keep some 200
 * bytes for each frame before they decode any, so that millions of frames of one pixel, in a file of a few
 * megabytes, would fill the memory.
 */
export const MAX_FRAMES = 10_000;

/** Most bytes of a file that are in memory at a time. */
export const PIECE_BYTES = 256 * 1024;

/**
 * Buffers that were given back. A new one for each file is memory outside of V8's heap, and a few hundred
 * megabytes of such make it collect all of its garbage, which costs more than reading the file.
 */
const spare: Buffer[] = [];
const MAX_SPARE = 8;

/**
 * A file read forwards through one buffer. Buffers that it hands out are views, good until the next call that
 * awaits.
 */
export class Pieces {
  readonly size: number;
  readonly #reader: RandomReader;
  readonly #type: string;
  #buffer = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
  /** Where in the file the buffer begins, how much of it is filled, and how much of that is read. */
  #from = 0;
  #filled = 0;
  #read = 0;

  constructor(file: Pick<LocalFile, 'bytes' | 'reader'>, type: string) {
    this.#reader = file.reader;
    this.size = file.bytes;
    this.#type = type;
  }

  /** Gives the buffer back; nothing that was handed out may be looked at any more. */
  close(): void {
    if (this.#buffer.length > 0 && spare.length < MAX_SPARE) spare.push(this.#buffer);
    this.#buffer = Buffer.alloc(0);
    this.#read = 0;
    this.#filled = 0;
  }

  /** The offset in the file of the next byte. */
  get offset(): number {
    return this.#from + this.#read;
  }

  /** Bytes in memory, from the next byte on. */
  get ahead(): Buffer {
    return this.#buffer.subarray(Math.min(this.#read, this.#filled), this.#filled);
  }

  /** Goes to an offset, without looking whether the file reaches so far. */
  seek(offset: number): void {
    if (offset < this.#from) {
      this.#from = offset;
      this.#filled = 0;
    }
    this.#read = offset - this.#from;
  }

  /**
   * Brings at least `count` bytes ahead, and as many more as a piece holds; false when the file ends before.
   */
  async fill(count: number): Promise<boolean> {
    if (this.#filled - this.#read >= count) return true;
    const kept = Math.max(0, this.#filled - this.#read);
    this.#buffer.copyWithin(0, this.#filled - kept, this.#filled);
    this.#from = this.offset;
    this.#read = 0;
    this.#filled = kept;
    while (this.#filled < count) {
      const room = this.#buffer.length - this.#filled;
      const { bytesRead } = await this.#reader.read(
        this.#buffer,
        this.#filled,
        room,
        this.#from + this.#filled,
      );
      if (bytesRead === 0) return false;
      this.#filled += bytesRead;
    }
    return true;
  }

  /** The next `count` bytes, at most a piece of them. */
  async take(count: number, what: string): Promise<Buffer> {
    if (!(await this.fill(count))) throw this.damaged(`the file ends at byte ${this.size}, within ${what}`);
    const bytes = this.#buffer.subarray(this.#read, this.#read + count);
    this.#read += count;
    return bytes;
  }

  /** Some of the next bytes: at least one, at most `count`. */
  async takeSome(count: number, what: string): Promise<Buffer> {
    if (!(await this.fill(1))) throw this.damaged(`the file ends at byte ${this.size}, within ${what}`);
    const bytes = this.ahead.subarray(0, count);
    this.#read += bytes.length;
    return bytes;
  }

  /** Passes over bytes without reading them. */
  skip(count: number, what: string): void {
    if (count > this.size - this.offset) {
      throw this.damaged(
        `${what} needs ${count} bytes at byte ${this.offset}, and the file ends at byte ${this.size}`,
      );
    }
    this.seek(this.offset + count);
  }

  /** Checks the number of frames met so far. */
  countFrames(frames: number): void {
    if (frames <= MAX_FRAMES) return;
    throw new TooLargeError(`The ${this.#type} has more than ${MAX_FRAMES} frames. Send a shorter one.`, {
      limit: MAX_FRAMES,
      unit: 'frames',
    });
  }

  damaged(how: string): FixativeError {
    return new FixativeError('DAMAGED_IMAGE', `The ${this.#type} is damaged: ${how}.`);
  }
}
