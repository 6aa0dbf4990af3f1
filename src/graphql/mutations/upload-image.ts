import { ownerFor } from '../../auth/authorization.ts';
import { atPath } from '../../errors.ts';
import { parseUploadInput, uploadImage } from '../../image/upload/upload.ts';
import { builder } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { answer, type ImagePayload, imagePayload } from './payload.ts';

const UploadImageInput = builder.inputType('UploadImageInput', {
  description: 'A file, and what is said of it.',
  fields: (t) => ({
    file: t.field({
      type: 'Upload',
      required: true,
      description: 'PNG, JPEG, WebP, GIF or AVIF; by content, not by name.',
    }),
    filename: t.string({
      description: 'The name to offer it under; without it, the name that comes with the file.',
    }),
    ...pictureFields(t, 'uploadImage'),
  }),
});

builder.mutationField('uploadImage', (t) =>
  t.field({
    type: imagePayload('UploadImagePayload', 'The image that is kept of it, or why none is.'),
    description: 'Keeps a file. It is answered when every required store holds its bytes.',
    args: {
      input: t.arg({
        type: UploadImageInput,
        required: true,
        description: 'The file, and what is said of it.',
      }),
    },
    resolve: (_root, { input: { file, ...input } }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => {
        const record = parseUploadInput(input, ownerFor(caller, input));
        const kept = file.then((received) => uploadImage(services, received, record));
        return { payload: { image: await atPath(['input', 'file'], kept) } };
      }),
  }),
);
