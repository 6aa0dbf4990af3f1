/** Bytes that can be read at any place. An open file is such. */
export interface RandomReader {
  /** As `FileHandle.read`; less than `length`, and in the end nothing, where there is no more. */
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
}

/** A file on this machine, open. Nobody writes to it. */
export interface LocalFile {
  readonly path: string;
  /** How many there are. */
  readonly bytes: number;
  readonly reader: RandomReader;
}
