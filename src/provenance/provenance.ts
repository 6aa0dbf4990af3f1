/**
 * What generators and cameras write into a picture: the prompt it was made from, the model, the camera, the time.
 *
 * Guarantees: the file is only read; memory and time are bounded whatever it claims (the limits are in embedded.ts); what cannot
 * be read is left out, and nothing but a failing file system is thrown; every text can be kept in the database. It trusts nothing,
 * and proves nothing either: anybody can write anything into a picture. Of content credentials (C2PA, https://c2pa.org) it says
 * that the file carries some, which is no word on whether they are valid.
 */
import { Pieces } from '../storage/picture/containers/pieces.ts';
import { type PictureType, SNIFF_BYTES, sniff } from '../storage/picture/sniff.ts';
import type { LocalFile, RandomReader } from '../storage/spool/local-file.ts';
import { readAvif } from './carriers/avif.ts';
import { readGif } from './carriers/gif.ts';
import { readJpeg } from './carriers/jpeg.ts';
import { readPng } from './carriers/png.ts';
import { readWebp } from './carriers/webp.ts';
import { Embedded } from './embedded.ts';
import { interpret } from './interpret.ts';

export interface Provenance {
  /** The program that made it, by the form of what it wrote: `AUTOMATIC1111`, `ComfyUI`, `InvokeAI`, `NovelAI`, `Fooocus`, `Draw Things`. */
  readonly generator: string | null;
  readonly prompt: string | null;
  readonly negativePrompt: string | null;
  readonly model: string | null;
  /** In decimal digits: seeds pass what a number holds exactly. */
  readonly seed: string | null;
  readonly steps: number | null;
  readonly sampler: string | null;
  readonly cfgScale: number | null;
  readonly software: string | null;
  readonly camera: string | null;
  /** ISO 8601; without an offset where the camera gave none. */
  readonly takenAt: string | null;
  /** As IPTC names it: http://cv.iptc.org/newscodes/digitalsourcetype/ */
  readonly digitalSourceType: string | null;
  readonly description: string | null;
  /** The texts that were found, by their names in the file; long ones are cut. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Whether the file carries C2PA content credentials. They are not validated. */
  readonly hasContentCredentials: boolean;
}

/** Takes what a container carries into `embedded`, up to the first thing that is wrong. */
export type Carrier = (file: Pieces, embedded: Embedded, reader: RandomReader) => Promise<void>;

const CARRIERS: Readonly<Record<PictureType, Carrier>> = {
  'image/png': readPng,
  'image/jpeg': readJpeg,
  'image/webp': readWebp,
  'image/gif': readGif,
  'image/avif': readAvif,
};

/**
 * Reads what is embedded in the picture of a file; its type is told by its content.
 * @throws the error of the file system as it is, and nothing else.
 */
export async function readProvenance(file: Pick<LocalFile, 'bytes' | 'reader'>): Promise<Provenance> {
  const embedded = new Embedded();
  const head = Buffer.alloc(SNIFF_BYTES);
  const { bytesRead } = await file.reader.read(head, 0, SNIFF_BYTES, 0);
  const { mimeType } = sniff(head.subarray(0, bytesRead));
  if (mimeType === null) return interpret(embedded);
  const pieces = new Pieces(file, 'picture');
  try {
    await CARRIERS[mimeType](pieces, embedded, file.reader);
  } catch (error) {
    // A container that is not what it should be ends the reading, not the ingest: whether it is whole is storage's question.
    if (error instanceof Error && 'syscall' in error) throw error;
  } finally {
    pieces.close();
  }
  try {
    return interpret(embedded);
  } catch {
    // What strangers wrote may be of any shape, and none of them is to keep a picture out.
    const nothing = new Embedded();
    nothing.hasContentCredentials = embedded.hasContentCredentials;
    return interpret(nothing);
  }
}

/** Whether there is anything to keep. */
export function saysAnything(provenance: Provenance): boolean {
  const { raw, hasContentCredentials, ...fields } = provenance;
  return (
    hasContentCredentials ||
    Object.keys(raw).length > 0 ||
    Object.values(fields).some((field) => field !== null)
  );
}
