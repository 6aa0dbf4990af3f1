/** Bytes that can be read at any position. An open file is one. */
export interface RandomReader {
  /** Reads like `FileHandle.read`: fewer bytes than `length` near the end, none beyond it. */
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
}

/** An open file on this machine that has no writer. */
export interface LocalFile {
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  readonly reader: RandomReader;
}
