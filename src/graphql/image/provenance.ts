import DataLoader from 'dataloader';
import type { Queryable } from '../../database/database.ts';
import { findProvenances } from '../../image/ingest/provenance.ts';
import type { Provenance as ProvenanceShape } from '../../provenance/provenance.ts';
import { builder } from '../builder/builder.ts';

const text = { nullable: true } as const;

export const Provenance = builder.objectRef<ProvenanceShape>('Provenance').implement({
  description:
    'What generators and cameras wrote into the bytes of an image. It is their word: anybody can write anything into a picture.',
  fields: (t) => ({
    generator: t.exposeString('generator', {
      ...text,
      description: 'The program that made it, such as `AUTOMATIC1111`, `ComfyUI` or `InvokeAI`.',
    }),
    prompt: t.exposeString('prompt', {
      ...text,
      description: 'What it was made from; null where the file does not say.',
    }),
    negativePrompt: t.exposeString('negativePrompt', {
      ...text,
      description: 'What was not to be in it; null where the file does not say.',
    }),
    model: t.exposeString('model', {
      ...text,
      description: 'The model that made it, as the generator calls it; null where the file does not say.',
    }),
    seed: t.exposeString('seed', {
      ...text,
      description: 'Decimal digits; it may pass what a number holds.',
    }),
    steps: t.exposeFloat('steps', {
      ...text,
      description: 'How many steps the sampler took; null where the file does not say.',
    }),
    sampler: t.exposeString('sampler', {
      ...text,
      description: 'The sampler, as the generator calls it; null where the file does not say.',
    }),
    cfgScale: t.exposeFloat('cfgScale', {
      ...text,
      description:
        'How strictly the prompt was followed (classifier-free guidance); null where the file does not say.',
    }),
    software: t.exposeString('software', {
      ...text,
      description:
        'The program that wrote the file, by EXIF, XMP or a text `Software`; null where the file does not say.',
    }),
    camera: t.exposeString('camera', {
      ...text,
      description: 'Maker and model of the camera, by EXIF; null where the file does not say.',
    }),
    takenAt: t.exposeString('takenAt', {
      ...text,
      description: 'ISO 8601; without an offset where the camera gave none.',
    }),
    digitalSourceType: t.exposeString('digitalSourceType', {
      ...text,
      description: 'As IPTC names it: http://cv.iptc.org/newscodes/digitalsourcetype/',
    }),
    description: t.exposeString('description', {
      ...text,
      description:
        'A description or caption, by XMP, EXIF or a text `Description`; null where the file does not say.',
    }),
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
