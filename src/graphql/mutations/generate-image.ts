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
import type { ReceivedFile } from '../../image/upload/upload.ts';
import { builder, type InputFields } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Image } from '../image/image.ts';
import { IMAGE_ID, parseImageId, requireImage } from '../image/image-id.ts';
import { imageFields } from '../image/image-input.ts';
import type { ImageShape } from '../image/image-shape.ts';
import { imagePayload, mutation } from './mutation.ts';

const PictureSourceInput = builder.inputType('PictureSourceInput', {
  description: 'A picture to generate from. Give exactly one field; null is not allowed.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'ID of an image with stored bytes: `Image.id` or `Image.uuid`.' }),
    file: t.field({
      type: 'Upload',
      description: 'A file of this request. It is stored as an image of its own.',
    }),
  }),
});

const Background = builder.enumType('Background', {
  description: 'The background of a generated image. Leave it out for the default of the tool or the model.',
  values: {
    TRANSPARENT: { value: 'transparent', description: 'Transparent. Not possible in JPEG.' },
  } as const,
});

const PictureFormat = builder.enumType('PictureFormat', {
  description: 'File format to request from a provider. `Model.formats` lists those that a model supports.',
  values: {
    PNG: { value: 'png', description: '`image/png`; may be transparent.' },
    JPEG: { value: 'jpeg', description: '`image/jpeg`; never transparent.' },
    WEBP: { value: 'webp', description: '`image/webp`; may be transparent.' },
  } as const,
});

const waitField = (t: InputFields) =>
  t.int({
    description: `Seconds to wait for the images, 0 to ${MAX_WAIT_SECONDS}. Default: ${DEFAULT_WAIT_SECONDS}. After that, images that are not ready are returned with their present status, and generation continues: follow it with \`image\`, \`node\` or the subscription \`imageUpdated\`.`,
  });

const contentFields = (t: InputFields) => ({
  tool: t.string({
    description: 'Name of the tool, one of `tools`. Default: `generateUserImage`.',
  }),
  prompt: t.string({
    description:
      'Text that describes the image. Every tool needs it, except renderChart, and comics and stories that give `panels` or `pages`.',
  }),
  panels: t.stringList({ description: 'For comics: what each panel should show, 1 to 6 panels.' }),
  pages: t.stringList({ description: 'For stories: what each page should show, 1 to 10 pages.' }),
  character: t.string({
    description: 'For comics and stories: the character who appears in every panel or page.',
  }),
  chart: t.field({
    type: 'JSON',
    description: 'For renderChart: `{ spec }` with a Vega-Lite specification, or `{ kind, rows, x, y, … }`.',
  }),
  n: t.int({
    description: `Number of images, 1 to ${MAX_IMAGES_PER_REQUEST}. Default: 1. Each is a separate call to the provider.`,
  }),
});

const modelFields = (t: InputFields) => ({
  model: t.string({
    description:
      "ID of the model (`Model.id`) of a configured provider. Default: the tool's model, or else the server's.",
  }),
  size: t.string({
    description: "Size, `WIDTHxHEIGHT` in pixels. Default: the tool's size, or else the model's.",
  }),
  quality: t.string({
    description:
      "Quality, one of the model's `qualities`, else UNSUPPORTED_BY_MODEL. Default: chosen by the provider.",
  }),
  style: t.string({
    description:
      "Style, one of the model's `styles`, else UNSUPPORTED_BY_MODEL. Default: chosen by the provider.",
  }),
  seed: t.int({
    description: 'Seed, for models with `acceptsSeed`; the same seed gives the same picture.',
  }),
  background: t.field({
    type: Background,
    description:
      "Background of the image. UNSUPPORTED_BY_MODEL if `Model.transparency` is false. Default: the tool's background, if the model supports it.",
  }),
  format: t.field({
    type: PictureFormat,
    description:
      'File format to request from the provider. Default: GENERATED_IMAGE_FORMAT if the model supports it, else chosen by the provider.',
  }),
});

const sourceFields = (t: InputFields) => ({
  references: t.field({
    type: [PictureSourceInput],
    description:
      'Pictures to generate from: up to 16 (`Tool.maxReferences`, `Model.maxReferences`), 64 MiB together.',
  }),
  mask: t.field({
    type: PictureSourceInput,
    description:
      'Mask of the same size as the first reference. Where it is transparent, the model repaints the reference.',
  }),
  parentId: t.id({
    description:
      'ID of the image that this one is edited from (`Image.parent`). It is used as the reference if `references` is not given and the tool accepts one.',
  }),
});

/** Pictures that an operation may ask for are limited, so larger numbers need not be told apart. */
const MOST_COUNTED = 100;

/** Counts the pictures that an input asks a provider for. The input has not been validated. */
function countPictures({ n, panels, pages }: Readonly<Record<string, unknown>>): number {
  const sizes = [
    Number(n ?? 1),
    Array.isArray(panels) ? panels.length : 1,
    Array.isArray(pages) ? pages.length : 1,
  ];
  return sizes.reduce(
    (product, size) => product * (Number.isNaN(size) ? 1 : Math.min(Math.max(size, 1), MOST_COUNTED)),
    1,
  );
}

mutation({
  name: 'generateImage',
  scope: 'images:generate',
  description:
    'Generates images with a tool and stores them. If the provider refuses or fails, the image is returned with the status FAILED and an `error`.',
  pictures: countPictures,
  input: {
    description:
      'Parameters for `generateImage`. Options that the tool or the model does not support are refused before the provider is called.',
    fields: (t) => ({
      ...contentFields(t),
      ...modelFields(t),
      ...sourceFields(t),
      ...imageFields(t),
      requestId: t.string({
        description:
          'Idempotency key. If the same user sends it again with the same input within 90 days, the same images are returned, and nothing is generated or paid for twice. CONFLICT for another input. Ignored if the server does not store generated images.',
      }),
      scheduledFor: t.field({
        type: 'DateTime',
        description: `Earliest time to generate the images, up to ${MAX_SCHEDULE_DAYS} days ahead. Default: now.`,
      }),
      waitSeconds: waitField(t),
    }),
  },
  payload: {
    description: 'Payload of `generateImage`.',
    empty: { images: [] as readonly ImageShape[] },
    fields: (t) => ({
      images: t.field({
        type: [Image],
        description:
          'The requested images: `n` of them, or one for each page of a story. Images that failed are included, with their `error`. Empty if the mutation failed and `userErrors` says why.',
        extensions: { cost: LIST_COST },
        resolve: ({ images }) => [...images],
      }),
    }),
  },
  async resolve({ references, mask, parentId, ...input }, { services, caller }) {
    const owner = ownerFor(caller, input);
    const request = {
      ...input,
      userId: owner.userId,
      references: references?.map((source, index) => parseSource(source, 'references', String(index))),
      mask: mask && parseSource(mask, 'mask'),
      parent: parentId == null ? null : parseImageId(String(parentId), ['input', 'parentId']),
    };
    return { images: await generateImages(services, request, owner) };
  },
});

mutation({
  name: 'regenerateImage',
  scope: 'images:generate',
  description:
    'Generates an image again that has failed or whose bytes are lost, with the same request; its ID and address stay the same. Steps that were paid for and are still usable are not repeated. If a store still has a healthy copy of a lost image, the image is restored from it. CONFLICT if the image is being generated, has its bytes, or was not generated here.',
  input: {
    description: 'The image to generate again.',
    fields: (t) => ({ id: t.id(IMAGE_ID), waitSeconds: waitField(t) }),
  },
  payload: imagePayload('Payload of `regenerateImage`.'),
  async resolve({ id, waitSeconds }, context) {
    const image = await requireImage(context, String(id));
    return { image: await regenerateImage(context.services, image, { waitSeconds }) };
  },
});

mutation({
  name: 'cancelGeneration',
  scope: 'images:generate',
  description:
    'Cancels the generation of an image that is PENDING or PROCESSING. Its status becomes FAILED, with the error code CANCELLED. Work that the provider has started may still be charged. CONFLICT if the image is not being generated.',
  input: {
    description: 'The image whose generation to cancel.',
    fields: (t) => ({ id: t.id(IMAGE_ID) }),
  },
  payload: imagePayload('Payload of `cancelGeneration`.'),
  async resolve({ id }, context) {
    const image = await requireImage(context, String(id));
    return { image: await cancelGeneration(context.services, image) };
  },
});

/** GraphQL guarantees exactly one of both (@oneOf). */
type SourceInput = { readonly id: string | number } | { readonly file: Promise<ReceivedFile> };

function parseSource(source: SourceInput, ...path: string[]): PictureSource {
  if ('id' in source) return { uuid: parseImageId(String(source.id), ['input', ...path, 'id']) };
  const file = atPath(['input', ...path, 'file'], source.file);
  // A rejection is reported where the file is awaited; without this it would count as unhandled until then.
  file.catch(() => {});
  return { file };
}
