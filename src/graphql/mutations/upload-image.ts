import { ownerFor } from '../../auth/authorization.ts';
import { atPath } from '../../errors.ts';
import { parseUploadInput, uploadImage } from '../../image/upload/upload.ts';
import { pictureFields } from '../image/image-input.ts';
import { imagePayload, mutation } from './mutation.ts';

mutation({
  name: 'uploadImage',
  scope: 'images:write',
  description:
    'Uploads a file as an image. Returns when every required store has its bytes. To upload past GraphQL, use `createUploadTarget`.',
  input: {
    description: 'A file to upload, and the details of its image.',
    fields: (t) => ({
      file: t.field({
        type: 'Upload',
        required: true,
        description: 'PNG, JPEG, WebP, GIF or AVIF file. The content decides the type, not the name.',
      }),
      filename: t.string({
        description: 'Name of the file. Default: the name in the multipart request.',
      }),
      ...pictureFields(t, 'uploadImage'),
    }),
  },
  payload: imagePayload('Payload of `uploadImage`.'),
  async resolve({ file, ...input }, { services, caller }) {
    const record = parseUploadInput(input, ownerFor(caller, input));
    const uploaded = file.then((received) => uploadImage(services, received, record));
    return { image: await atPath(['input', 'file'], uploaded) };
  },
});
