import DataLoader from 'dataloader';
import type { Queryable } from '../database/database.ts';
import { findProvenances } from '../image/provenance.ts';
import type { Provenance as ProvenanceShape } from '../provenance/provenance.ts';
import { builder } from './builder.ts';

const text = { nullable: true } as const;

export const Provenance = builder.objectRef<ProvenanceShape>('Provenance').implement({
  description:
    'What generators and cameras wrote into the bytes of an image. It is their word: anybody can write anything into a picture.',
  fields: (t) => ({
    generator: t.exposeString('generator', {
      ...text,
      description: 'The program that made it, such as `AUTOMATIC1111`, `ComfyUI` or `InvokeAI`.',
    }),
    prompt: t.exposeString('prompt', text),
    negativePrompt: t.exposeString('negativePrompt', text),
    model: t.exposeString('model', text),
    seed: t.exposeString('seed', {
      ...text,
      description: 'Decimal digits; it may pass what a number holds.',
    }),
    steps: t.exposeFloat('steps', text),
    sampler: t.exposeString('sampler', text),
    cfgScale: t.exposeFloat('cfgScale', text),
    software: t.exposeString('software', text),
    camera: t.exposeString('camera', text),
    takenAt: t.exposeString('takenAt', {
      ...text,
      description: 'ISO 8601; without an offset where the camera gave none.',
    }),
    digitalSourceType: t.exposeString('digitalSourceType', {
      ...text,
      description: 'As IPTC names it: http://cv.iptc.org/newscodes/digitalsourcetype/',
    }),
    description: t.exposeString('description', text),
    raw: t.expose('raw', {
      type: 'JSON',
      description: 'The texts that were found, by their names in the file; long ones are cut.',
    }),
    hasContentCredentials: t.exposeBoolean('hasContentCredentials', {
      description: 'Whether it carries C2PA content credentials. They are not validated.',
    }),
  }),
});

/** Loads what is on record for all blobs of a page by one statement. */
export function makeProvenanceLoader(db: Queryable): DataLoader<number, ProvenanceShape | null> {
  return new DataLoader((blobIds) => findProvenances(db, blobIds));
}
