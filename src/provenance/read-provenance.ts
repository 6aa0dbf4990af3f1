/**
 * Reads what generators and cameras store in a picture: prompt, model, camera, time.
 *
 * Guarantees:
 * - The file is only read.
 * - Memory and time are limited for every input (`LIMITS` in embedded.ts).
 * - Unreadable parts are left out. Only errors of the file system are thrown.
 * - PostgreSQL accepts every returned text.
 *
 * Nothing is proved: anyone can write anything into a picture. Content credentials (C2PA, https://c2pa.org)
 * are detected but not validated.
 */

import type { LocalFile, RandomReader } from '../storage/files/local-file.ts';
import { Pieces } from '../storage/picture/containers/pieces.ts';
import { type PictureType, SNIFF_BYTES, sniff } from '../storage/picture/sniff.ts';
import { readAvif } from './carriers/avif.ts';
import { readGif } from './carriers/gif.ts';
import { readJpeg } from './carriers/jpeg.ts';
import { readPng } from './carriers/png.ts';
import { readWebp } from './carriers/webp.ts';
import { Embedded } from './embedded.ts';
import { interpretEmbedded } from './interpret.ts';
import type { Provenance } from './provenance.ts';

/** Adds the embedded parts of a file to `embedded`. Throws at the first fault of the container. */
type ReadContainer = (file: Pieces, embedded: Embedded, reader: RandomReader) => Promise<void>;

const READERS: Readonly<Record<PictureType, ReadContainer>> = {
  'image/png': readPng,
  'image/jpeg': readJpeg,
  'image/webp': readWebp,
  'image/gif': readGif,
  'image/avif': readAvif,
};

/**
 * Reads the provenance of a picture. Its type is detected from its content.
 * @throws errors of the file system, unchanged
 */
export async function readProvenance(file: Pick<LocalFile, 'bytes' | 'reader'>): Promise<Provenance> {
  const embedded = new Embedded();
  const head = Buffer.alloc(SNIFF_BYTES);
  const { bytesRead } = await file.reader.read(head, 0, SNIFF_BYTES, 0);
  const { mimeType } = sniff(head.subarray(0, bytesRead));
  if (mimeType === null) return interpretEmbedded(embedded);
  const pieces = new Pieces(file, 'picture');
  try {
    await READERS[mimeType](pieces, embedded, file.reader);
  } catch (error) {
    // A faulty container ends only this reading. storage/ decides whether the picture is accepted.
    if (error instanceof Error && 'syscall' in error) throw error;
  } finally {
    pieces.close();
  }
  try {
    return interpretEmbedded(embedded);
  } catch {
    // The texts can have any shape. None of them may keep a picture from being stored.
    const nothing = new Embedded();
    nothing.hasContentCredentials = embedded.hasContentCredentials;
    return interpretEmbedded(nothing);
  }
}
