/** Fields of `Image` that describe its file and where to fetch it. */
import { builder } from '../builder/builder.ts';
import { Image } from './image.ts';
import type { ImageShape } from './image-shape.ts';
import { ImageTransform, urlOf } from './image-url.ts';

builder.objectFields(Image, (t) => ({
  filename: t.exposeString('filename', {
    nullable: true,
    description:
      'Unique name of the file, in letters, digits, `.`, `_` and `-`; part of `url`. Null until the bytes are stored.',
  }),
  originalFilename: t.exposeString('originalFilename', {
    nullable: true,
    description:
      'Name of the file as the client sent it or `updateImage` set it, in any script. Browsers save downloads under it. Null for a generated image, and if no name was given.',
  }),
  mimeType: t.exposeString('mimeType', {
    nullable: true,
    description: 'Media type of the bytes, detected from their content; null until they are stored.',
  }),
  bytes: t.exposeInt('bytes', {
    nullable: true,
    description: 'Size of the file in bytes; null until it is stored.',
  }),
  sha256: t.exposeString('sha256', {
    nullable: true,
    description: 'SHA-256 of the bytes, as 64 hexadecimal digits; null until they are stored.',
  }),
  width: t.exposeInt('width', {
    nullable: true,
    description: 'Width in pixels, after EXIF rotation; null until the bytes are stored.',
  }),
  height: t.exposeInt('height', {
    nullable: true,
    description: 'Height in pixels, after EXIF rotation; null until the bytes are stored.',
  }),
  thumbhash: t.exposeString('thumbhash', {
    nullable: true,
    description:
      'Blurred placeholder of about 25 bytes, in base64: https://evanw.github.io/thumbhash/. Null until the bytes are stored.',
  }),
  url: t.string({
    nullable: true,
    description:
      'Address of the bytes; null until they are stored, and while the image is in the trash. It does not expire unless `expiresInSeconds` is given. The address of a private image needs a token, unless it is signed.',
    args: {
      expiresInSeconds: t.arg.int({
        description:
          'Signs the address: anyone who has it can fetch the bytes until it expires. Seconds, 60 to 604800 (SIGNED_URL_MAX_SECONDS). Needs the scope IMAGES_READ.',
      }),
      transform: t.arg({
        type: ImageTransform,
        description:
          'Returns the address of a variant: resized, or in another format. It is signed if VARIANT_SIZES does not list its size.',
      }),
    },
    resolve: (image, options, context) =>
      image.dataUrl ?? (isDelivered(image) ? urlOf(image, options, context) : null),
  }),
  originalUrl: t.exposeString('originalUrl', {
    nullable: true,
    description: 'Address that the image came from, for reference; it may have expired.',
  }),
  storageProvider: t.exposeString('storageProvider', {
    nullable: true,
    description: 'Name of the store that first kept the bytes; null until they are stored.',
  }),
  kept: t.boolean({
    description:
      'Whether the bytes are stored. False until they are, and always for generated images with SAVE_GENERATED_IMAGES=false: `url` is then a data address, returned only once.',
    resolve: ({ blobId }) => blobId !== null,
  }),
}));

function isDelivered(image: ImageShape): boolean {
  return image.blobId !== null && image.status === 'success' && image.deletedAt === null;
}
