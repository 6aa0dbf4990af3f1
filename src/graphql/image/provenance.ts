import type { Provenance as ProvenanceShape } from '../../provenance/provenance.ts';
import { builder } from '../builder/builder.ts';
import { Image } from './image.ts';

const Provenance = builder.objectRef<ProvenanceShape>('Provenance').implement({
  description:
    'Metadata that generators and cameras wrote into the file. It is not verified: anyone can write anything into a file.',
  fields: (t) => ({
    generator: t.exposeString('generator', {
      nullable: true,
      description:
        'Program that generated the image, such as `AUTOMATIC1111`, `ComfyUI` or `InvokeAI`; null if the file does not say.',
    }),
    prompt: t.exposeString('prompt', {
      nullable: true,
      description: 'Prompt; null if the file does not say.',
    }),
    negativePrompt: t.exposeString('negativePrompt', {
      nullable: true,
      description: 'Negative prompt: what the image was not to show. Null if the file does not say.',
    }),
    model: t.exposeString('model', {
      nullable: true,
      description: 'Model, as the generator calls it; null if the file does not say.',
    }),
    seed: t.exposeString('seed', {
      nullable: true,
      description:
        'Seed in decimal digits, a string because it may exceed 2⁵³; null if the file does not say.',
    }),
    steps: t.exposeFloat('steps', {
      nullable: true,
      description: 'Number of sampling steps; null if the file does not say.',
    }),
    sampler: t.exposeString('sampler', {
      nullable: true,
      description: 'Sampler, as the generator calls it; null if the file does not say.',
    }),
    cfgScale: t.exposeFloat('cfgScale', {
      nullable: true,
      description: 'Scale of classifier-free guidance; null if the file does not say.',
    }),
    software: t.exposeString('software', {
      nullable: true,
      description:
        'Program that wrote the file, from EXIF, XMP or a text chunk `Software`; null if the file does not say.',
    }),
    camera: t.exposeString('camera', {
      nullable: true,
      description: 'Make and model of the camera, from EXIF; null if the file does not say.',
    }),
    takenAt: t.exposeString('takenAt', {
      nullable: true,
      description:
        'When the photo was taken, in ISO 8601, without an offset if the camera recorded none; null if the file does not say.',
    }),
    digitalSourceType: t.exposeString('digitalSourceType', {
      nullable: true,
      description:
        'IPTC digital source type (http://cv.iptc.org/newscodes/digitalsourcetype/); null if the file does not say.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      description:
        'Description or caption, from XMP, EXIF or a text chunk `Description`; null if the file does not say.',
    }),
    raw: t.expose('raw', {
      type: 'JSON',
      description: 'All texts that were found, by their names in the file; long texts are truncated.',
    }),
    hasContentCredentials: t.exposeBoolean('hasContentCredentials', {
      description: 'Whether the file contains C2PA content credentials. They are not validated.',
    }),
  }),
});

builder.objectFields(Image, (t) => ({
  provenance: t.field({
    type: Provenance,
    nullable: true,
    description: 'Metadata that generators and cameras wrote into the file; null if it has none.',
    extensions: { cost: { extra: 20 } },
    resolve: ({ blobId }, _args, { loaders }) =>
      blobId === null ? null : loaders.provenanceOfBlob.load(Number(blobId)),
  }),
}));
