import { type ErrorCode as Code, ERROR_CODES, InputError } from '../../errors.ts';
import type { AnsweredImage } from '../../image/generation/generate.ts';
import { IMAGE_ORIGINS, type Image as ImageModel, isPublic, parseUuid } from '../../image/image.ts';
import { builder } from '../builder/builder.ts';
import { decodeId, encodeId } from '../builder/global-id.ts';
import type { GraphqlContext } from '../context.ts';
import { ErrorCode } from '../user-error.ts';
import { Copy, type CopyOfImage, type CopyRow } from './copy.ts';
import { ImageTransform, urlOf } from './image-url.ts';
import { Provenance } from './provenance.ts';

export const ImageStatus = builder.enumType('ImageStatus', {
  description: 'What became of an image.',
  values: {
    PENDING: { value: 'pending', description: 'It is to be made.' },
    PROCESSING: { value: 'processing', description: 'It is being made.' },
    SUCCESS: { value: 'success', description: 'Its bytes are safe.' },
    FAILED: { value: 'failed', description: 'There will be no bytes; `error` says why.' },
  } as const,
});

export const ImageOrigin = builder.enumType('ImageOrigin', {
  description: 'How the bytes came.',
  values: {
    GENERATED: { value: 'generated', description: 'Made by a provider, asked by this server.' },
    UPLOADED: { value: 'uploaded', description: 'Sent by a client.' },
    IMPORTED: { value: 'imported', description: 'Fetched from an address or taken from another system.' },
    RECORDED: { value: 'recorded', description: 'Made and recorded by another service.' },
  } as const,
});

export const Visibility = builder.enumType('Visibility', {
  description: "Who is given an image's bytes.",
  values: {
    PUBLIC: { value: 'public', description: 'Whoever knows their address.' },
    PRIVATE: {
      value: 'private',
      description: 'Whoever has the token or the session of somebody who sees the image, or a signed `url`.',
    },
  } as const,
});

const isOrigin = (text: string): text is (typeof IMAGE_ORIGINS)[number] =>
  IMAGE_ORIGINS.some((origin) => origin === text);

interface ImageErrorShape {
  readonly code: Code;
  readonly message: string;
  readonly retryable: boolean;
}

const ImageError = builder.objectRef<ImageErrorShape>('ImageError').implement({
  description: 'Why an image failed.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCode, description: 'Why, for programs.' }),
    message: t.exposeString('message', { description: 'Why, for people.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether the same request may succeed later.' }),
  }),
});

/** From best to worst; each healthy copy is in a configured store. */
export const Durability = builder.enumType('Durability', {
  description: "How safe an image's bytes are, by what is on record of their copies.",
  values: {
    DURABLE: { description: 'Every configured store that takes files of its size holds a healthy copy.' },
    DEGRADED: { description: 'Some store lacks one, or has not got it yet; it is filled behind the scenes.' },
    AT_RISK: { description: 'One healthy copy is left; others were lost or damaged.' },
    LOST: { description: 'No store holds a healthy copy any more.' },
  } as const,
});

/** How safe the bytes are. @param stores the names of the configured stores. */
function durabilityOf(
  copies: readonly CopyRow[],
  stores: readonly string[],
): 'DURABLE' | 'DEGRADED' | 'AT_RISK' | 'LOST' {
  const isIn = (store: string, state: CopyRow['state']) =>
    copies.some((copy) => copy.store === store && copy.state === state);
  const healthy = stores.filter((store) => isIn(store, 'STORED'));
  const taking = stores.filter((store) => !isIn(store, 'TOO_LARGE'));
  if (healthy.length === taking.length && healthy.length > 0) return 'DURABLE';
  if (healthy.length === 0) return 'LOST';
  const lost = copies.some((copy) => copy.state === 'MISSING' || copy.state === 'CORRUPT');
  return healthy.length === 1 && lost ? 'AT_RISK' : 'DEGRADED';
}

const text = { nullable: true } as const;

export const Image = builder.prismaObject('Image', {
  description: 'An image: who asked for it, with which tool, what became of it, and where its bytes are.',
  interfaces: [builder.nodeInterfaceRef() as never],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'uuid' in value && 'toolName' in value,
  fields: (t) => ({
    id: t.id({
      description: 'Opaque, and the same for ever.',
      resolve: ({ uuid }) => encodeImageId(uuid),
    }),
    databaseId: t.expose('id', {
      type: 'BigInt',
      description: 'The number of the row in `generated_images`.',
    }),
    uuid: t.exposeString('uuid', { description: 'UUID version 7; part of `url`.' }),
    origin: t.field({
      type: ImageOrigin,
      description: 'How its bytes came, or are to come.',
      // Other services write rows too, with words of their own.
      resolve: ({ origin }) => (isOrigin(origin) ? origin : 'recorded'),
    }),
    visibility: t.field({
      type: Visibility,
      description: 'Who is given its bytes; who sees the image itself does not depend on it.',
      resolve: (image) => (isPublic(image) ? 'public' : 'private'),
    }),
    status: t.field({
      type: ImageStatus,
      description: 'What became of it so far; the subscription `imageUpdated` tells when it changes.',
      resolve: ({ status }) => status as 'success',
    }),
    error: t.field({
      type: ImageError,
      nullable: true,
      description: 'Why it failed; null for one that is not FAILED.',
      resolve: errorOf,
    }),
    userId: t.exposeString('userId', { description: 'Whose it is: a token for that user sees it.' }),
    username: t.exposeString('username', {
      ...text,
      description: 'What people call the user, as the caller said; null where it did not.',
    }),
    tool: t.exposeString('toolName', {
      description:
        'What it was made with: one of `tools`, the name that another service gave, or the way that it came in (`uploadImage`, `importImage`).',
    }),
    prompt: t.exposeString('prompt', { description: 'What was asked for; empty where nothing was.' }),
    revisedPrompt: t.exposeString('revisedPrompt', {
      ...text,
      description: 'What the provider made of the prompt.',
    }),
    provider: t.exposeString('provider', {
      ...text,
      description:
        'Who made it, such as `openai`; `vega` for a chart, which the server draws itself; null where nobody said.',
    }),
    model: t.exposeString('model', {
      ...text,
      description: 'The model that made it, or is to; null where nobody said.',
    }),
    size: t.exposeString('size', {
      ...text,
      description: 'The size that was asked for, `WIDTHxHEIGHT` in pixels.',
    }),
    quality: t.exposeString('quality', {
      ...text,
      description: 'The quality that was asked for; null where none was.',
    }),
    style: t.exposeString('style', {
      ...text,
      description: 'The style that was asked for; null where none was.',
    }),
    n: t.exposeInt('n', { ...text, description: 'How many images the request asked for.' }),
    requestId: t.exposeString('requestId', {
      ...text,
      description:
        "The caller's mark of the request that it belongs to, shared by all images of it; null where it gave none.",
    }),
    messageId: t.exposeString('messageId', {
      ...text,
      description:
        "The caller's mark of the message that it belongs to, such as one of a chat; null where it gave none.",
    }),
    tags: t.exposeStringList('tags', {
      description: 'What it was tagged with, in the order given; `updateImage` changes them.',
    }),
    metadata: t.expose('metadata', {
      type: 'JSON',
      nullable: true,
      description:
        'What else the caller said. Of a generated image also what the provider (`provider`) and the tool (`tool`) told, where the caller has no such key. null where there is nothing.',
    }),
    filename: t.exposeString('filename', {
      ...text,
      description:
        'The name that it is offered under, unlike that of any other image; null until its bytes are safe.',
    }),
    originalFilename: t.exposeString('originalFilename', {
      ...text,
      description:
        'Name of the file as its sender wrote it, in any script, or as `updateImage` gave it. Downloads are saved under it. Null for generated images, and where nobody gave a name.',
    }),
    mimeType: t.exposeString('mimeType', {
      ...text,
      description: 'By the content, whatever a client called it.',
    }),
    bytes: t.exposeInt('bytes', {
      ...text,
      description: 'The length of the file in bytes; null until the bytes are safe.',
    }),
    sha256: t.exposeString('sha256', {
      ...text,
      description: 'SHA-256 of the bytes, 64 hexadecimal digits.',
    }),
    width: t.exposeInt('width', { ...text, description: 'In pixels, as a browser shows it.' }),
    height: t.exposeInt('height', { ...text, description: 'In pixels, as a browser shows it.' }),
    thumbhash: t.exposeString('thumbhash', {
      ...text,
      description: 'A blurred preview in some 25 bytes, base64: https://evanw.github.io/thumbhash/',
    }),
    url: t.string({
      ...text,
      description:
        'Where the bytes are; null until they are safe, and for ever if they never were. Without `expiresInSeconds` it does not expire, and that of a private image asks for the token.',
      args: {
        expiresInSeconds: t.arg.int({
          description:
            'Signs the address: whoever has it is given the bytes until then. From 60 to 604800 (SIGNED_URL_MAX_SECONDS).',
        }),
        transform: t.arg({
          type: ImageTransform,
          description: 'The address of a variant; it is signed where VARIANT_SIZES does not have its size.',
        }),
      },
      resolve: (image, wishes, context) => {
        const { dataUrl } = image as AnsweredImage;
        return dataUrl ?? (isKept(image) ? urlOf(image, wishes, context) : null);
      },
    }),
    originalUrl: t.exposeString('originalUrl', {
      ...text,
      description: "The provider's own address, for reference; it may have expired.",
    }),
    storageProvider: t.exposeString('storageProvider', {
      ...text,
      description: 'The store that was first to keep it.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description:
        'When it was asked for or brought in; of an image that was recorded or imported, when it was made, where that was said.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When anything of it was changed last.',
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it lies in the trash; null for an image that does not.',
    }),
    provenance: t.field({
      type: Provenance,
      nullable: true,
      description:
        'What generators and cameras wrote into its bytes; null where there is nothing of that kind.',
      resolve: ({ blobId }, _args, { loaders }) =>
        blobId === null ? null : loaders.provenanceOfBlob.load(Number(blobId)),
    }),
    copies: t.field({
      type: [Copy],
      description: 'The copies of its bytes, in the order in which stores are read.',
      resolve: (image, _args, context) => copiesOf(image, context),
    }),
    durability: t.field({
      type: Durability,
      nullable: true,
      description: 'How safe the bytes are; null where there are none.',
      resolve: async ({ blobId }, _args, { loaders, services }) => {
        if (blobId === null) return null;
        const names = services.storage.stores.map((store) => store.name);
        return durabilityOf(await loaders.copiesOfBlob.load(Number(blobId)), names);
      },
    }),
  }),
});

/** The copies of an image's bytes, as they are told of this image: others may share them. */
export async function copiesOf(image: ImageModel, { loaders }: GraphqlContext): Promise<CopyOfImage[]> {
  if (image.blobId === null) return [];
  const copies = await loaders.copiesOfBlob.load(Number(image.blobId));
  const of = { imageUuid: image.uuid, isPrivate: !isPublic(image) };
  return copies.map((copy) => ({ ...copy, ...of }));
}

/** How an argument or a field names an image, as `parseImageId` reads it. */
export const IMAGE_ID = {
  required: true,
  description: 'Which image: its `id`, or its `uuid`; INVALID_ID for what is neither.',
} as const;

export const encodeImageId = (uuid: string) => encodeId({ type: 'Image', key: uuid });

function isKept(image: ImageModel): boolean {
  return image.blobId !== null && image.status === 'success' && image.deletedAt === null;
}

function errorOf(image: ImageModel): ImageErrorShape | null {
  if (image.status !== 'failed') return null;
  const code = (image.errorCode ?? '') in ERROR_CODES ? (image.errorCode as Code) : 'INTERNAL';
  return {
    code,
    message: image.error ?? 'No reason is on record.',
    retryable: image.errorRetryable ?? false,
  };
}

/**
 * The uuid in a global id.
 * @throws InputError INVALID_ID
 */
export function parseImageId(id: string, path: readonly string[] = ['id']): string {
  const decoded = decodeId(id);
  const uuid = parseUuid(id) ?? (decoded?.type === 'Image' ? parseUuid(decoded.key) : null);
  if (uuid) return uuid;
  throw new InputError('INVALID_ID', `${JSON.stringify(id.slice(0, 100))} is not the id of an image.`, {
    path,
  });
}

/** @throws InputError NOT_FOUND, INVALID_ID */
export async function requireImage(context: GraphqlContext, id: string): Promise<ImageModel> {
  const path = ['input', 'id'];
  const uuid = parseImageId(id, path);
  const image = await context.loaders.imageByUuid.load(uuid);
  if (image) return image;
  throw new InputError('NOT_FOUND', `There is no image ${JSON.stringify(id.slice(0, 100))}.`, { path });
}

builder.queryField('image', (t) =>
  t.field({
    type: Image,
    nullable: true,
    description: 'One image by its id or uuid; null when there is none.',
    args: { id: t.arg.id(IMAGE_ID) },
    resolve: (_root, { id }, context) => context.loaders.imageByUuid.load(parseImageId(id)),
  }),
);
