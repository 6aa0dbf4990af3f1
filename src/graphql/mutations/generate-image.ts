import { ownerFor } from '../../auth/authorization.ts';
import { atPath } from '../../errors.ts';
import { cancelGeneration } from '../../image/generation/cancel.ts';
import {
  DEFAULT_WAIT_SECONDS,
  generateImages,
  MAX_IMAGES_PER_REQUEST,
  MAX_SCHEDULE_DAYS,
  MAX_WAIT_SECONDS,
} from '../../image/generation/generate.ts';
import type { PictureSource } from '../../image/generation/references.ts';
import { regenerateImage } from '../../image/generation/regenerate.ts';
import type { Image as ImageModel } from '../../image/image.ts';
import type { ReceivedFile } from '../../image/upload/upload.ts';
import { builder } from '../builder/builder.ts';
import { IMAGE_ID, Image, parseImageId, requireImage } from '../image/image.ts';
import { imageFields } from '../image/image-input.ts';
import { answer, type ImagePayload, imagePayload, type Payload, USER_ERRORS } from './payload.ts';

const PictureSourceInput = builder.inputType('PictureSourceInput', {
  description: 'A picture to work from: exactly one of these. Leave the other out; null is not allowed.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'An image that is kept.' }),
    file: t.field({
      type: 'Upload',
      description: 'A file of this request; it is kept as an image of its own.',
    }),
  }),
});

const Background = builder.enumType('Background', {
  description: 'What is to be behind the subject of a picture.',
  values: {
    TRANSPARENT: { value: 'transparent', description: 'Nothing: it can be seen through. Not in JPEG.' },
  } as const,
});

const PictureFormat = builder.enumType('PictureFormat', {
  description:
    'The format that a provider is asked for; `Model.formats` has those that a model can be asked for.',
  values: {
    PNG: { value: 'png', description: '`image/png`, may be transparent.' },
    JPEG: { value: 'jpeg', description: '`image/jpeg`, never transparent.' },
    WEBP: { value: 'webp', description: '`image/webp`, may be transparent.' },
  } as const,
});

const WAIT = `How long to wait for the images, 0 to ${MAX_WAIT_SECONDS}; ${DEFAULT_WAIT_SECONDS} by default. What is not ready by then is answered as it is and goes on: \`image(id)\`, \`node\` and the subscription \`imageUpdated\` bring the rest.`;

const GenerateImageInput = builder.inputType('GenerateImageInput', {
  description:
    'What a tool is to make. What the tool or the model cannot do is refused before anything is paid for.',
  fields: (t) => ({
    prompt: t.string({
      description:
        'What the picture is to show; every tool but renderChart needs it, or the panels or pages.',
    }),
    tool: t.string({ description: 'One of `tools`; `generateUserImage` by default.' }),
    model: t.string({
      description: "A configured provider's model (`models`); the server's default model without it.",
    }),
    size: t.string({
      description: "`WIDTHxHEIGHT` in pixels; the tool's or the model's default without it.",
    }),
    quality: t.string({
      description:
        "One of the model's `qualities`, another is UNSUPPORTED_BY_MODEL; as the provider decides without it.",
    }),
    style: t.string({
      description:
        "One of the model's `styles`, another is UNSUPPORTED_BY_MODEL; as the provider decides without it.",
    }),
    seed: t.int({ description: 'The same seed gives the same picture, with models that take one.' }),
    background: t.field({
      type: Background,
      description:
        'Without it as the tool has it, where the model can. UNSUPPORTED_BY_MODEL where `Model.transparency` is false.',
    }),
    format: t.field({
      type: PictureFormat,
      description:
        'Asked of the provider; without it GENERATED_IMAGE_FORMAT, where the model can, else as the provider decides.',
    }),
    n: t.int({
      description: `How many images, 1 to ${MAX_IMAGES_PER_REQUEST}; 1 by default. Each is a call to the provider.`,
    }),
    references: t.field({
      type: [PictureSourceInput],
      description: 'Pictures to work from, up to 16, 64 MiB together.',
    }),
    mask: t.field({
      type: PictureSourceInput,
      description: 'As large as the first reference; where its alpha is 0, that one is painted anew.',
    }),
    parentId: t.id({
      description:
        'The image that this is a new version of (`Image.parent`); it is the reference when no others are given and the tool takes one.',
    }),
    panels: t.stringList({ description: 'Of a comic: what each panel shows, 1 to 6.' }),
    pages: t.stringList({ description: 'Of a story: what each page shows, 1 to 10.' }),
    character: t.string({ description: 'Of a story or a comic: who is in all of its pages or panels.' }),
    chart: t.field({
      type: 'JSON',
      description: 'Of renderChart: `{ spec }` with a Vega-Lite specification, or `{ kind, rows, x, y, … }`.',
    }),
    ...imageFields(t),
    requestId: t.string({
      description:
        'The key of the request: sent again by the same user with the same input, it answers the same images, and nothing is made or paid twice, for 90 days. CONFLICT for another input. Without effect where the server keeps nothing.',
    }),
    scheduledFor: t.field({
      type: 'DateTime',
      description: `Not before this time, up to ${MAX_SCHEDULE_DAYS} days ahead.`,
    }),
    waitSeconds: t.int({ description: WAIT }),
  }),
});

interface GeneratePayload extends Payload {
  readonly images: readonly ImageModel[];
}

const GenerateImagePayload = builder.objectRef<GeneratePayload>('GenerateImagePayload').implement({
  description: 'The images that were asked for, made or not.',
  fields: (t) => ({
    images: t.field({
      type: [Image],
      description:
        '`n` images, the pages of a story, or one; none where `userErrors` says why. One that failed is among them, with its `error`.',
      resolve: ({ images }) => [...images],
    }),
    userErrors: t.expose('userErrors', USER_ERRORS),
  }),
});

const RegenerateImageInput = builder.inputType('RegenerateImageInput', {
  description: 'The image that is to be made again.',
  fields: (t) => ({ id: t.id(IMAGE_ID), waitSeconds: t.int({ description: WAIT }) }),
});

const CancelGenerationInput = builder.inputType('CancelGenerationInput', {
  description: 'The image whose making is to end.',
  fields: (t) => ({ id: t.id(IMAGE_ID) }),
});

/** GraphQL sees to it that exactly one is given. */
type SourceInput = { readonly id: string } | { readonly file: Promise<ReceivedFile> };

function parseSource(source: SourceInput, ...path: string[]): PictureSource {
  if ('id' in source) return { uuid: parseImageId(source.id, ['input', ...path, 'id']) };
  const file = atPath(['input', ...path, 'file'], source.file);
  // It is heard of where it is awaited, if it is.
  file.catch(() => {});
  return { file };
}

builder.mutationFields((t) => ({
  generateImage: t.field({
    type: GenerateImagePayload,
    description:
      'Makes images with a tool and keeps them. An image whose provider refuses or fails is returned with the status FAILED and its `error`.',
    args: {
      input: t.arg({
        type: GenerateImageInput,
        required: true,
        description: 'What to make, for whom, and how long to wait for it.',
      }),
    },
    resolve: (_root, { input: { references, mask, parentId, ...input } }, { services, caller }) =>
      answer<GeneratePayload>({ images: [] }, async () => {
        const owner = ownerFor(caller, input);
        const asked = {
          ...input,
          userId: owner.userId,
          references: references?.map((source, index) => parseSource(source, 'references', String(index))),
          mask: mask && parseSource(mask, 'mask'),
          parent: parentId == null ? null : parseImageId(parentId, ['input', 'parentId']),
        };
        return { payload: { images: await generateImages(services, asked, owner) } };
      }),
  }),
  regenerateImage: t.field({
    type: imagePayload('RegenerateImagePayload', 'The image that is made again, or why it is not.'),
    description:
      'Makes an image again that has failed or whose bytes are lost: the same id and address, the same request. What was paid and can still be used is not paid again; a lost image of which some store has a healthy copy is restored.',
    args: {
      input: t.arg({
        type: RegenerateImageInput,
        required: true,
        description:
          'Which image, and how long to wait for it. CONFLICT where it is being made, is there, or was not generated here.',
      }),
    },
    resolve: (_root, { input: { id, waitSeconds } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return { payload: { image: await regenerateImage(context.services, image, { waitSeconds }) } };
      }),
  }),
  cancelGeneration: t.field({
    type: imagePayload('CancelGenerationPayload', 'The image whose making has ended, or why it has not.'),
    description:
      'Ends the making of an image that is PENDING or PROCESSING; it is FAILED with CANCELLED then. What the provider has begun may be paid for all the same.',
    args: {
      input: t.arg({
        type: CancelGenerationInput,
        required: true,
        description: 'Which image; CONFLICT where it is not being made.',
      }),
    },
    resolve: (_root, { input: { id } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return { payload: { image: await cancelGeneration(context.services, image) } };
      }),
  }),
}));
