import { ownerFor } from '../../auth/authorization.ts';
import { atPath, InputError } from '../../errors.ts';
import { checkCharacters } from '../../image/input.ts';
import { parseRecordInput, recordImage } from '../../image/record.ts';
import type { InputFields } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { imagePayload, mutation } from './mutation.ts';

const requestFields = (t: InputFields) => ({
  tool: t.string({
    required: true,
    description: 'Name of the tool that made the image, as the other service calls it; any name.',
  }),
  provider: t.string({ description: 'Provider that made the image, up to 50 characters.' }),
  size: t.string({ description: 'Requested size, up to 20 characters.' }),
  quality: t.string({ description: 'Requested quality, up to 20 characters.' }),
  style: t.string({ description: 'Requested style, up to 20 characters.' }),
  revisedPrompt: t.string({ description: 'Prompt as the provider rewrote it.' }),
  n: t.int({ description: 'Number of images that the request asked for. Default: 1.' }),
  createdAt: t.field({ type: 'DateTime', description: 'When the image was made. Default: now.' }),
  originalUrl: t.string({
    description: 'Address of the image at the provider, for reference; it is never fetched. Default: `url`.',
  }),
});

mutation({
  name: 'recordImage',
  scope: 'images:write',
  description:
    'Stores an image that another service has made, with the details of its request. Returns when every required store has its bytes.',
  input: {
    description:
      'An image that another service has made, and the details of its request. Give either `url` or `file`.',
    fields: (t) => ({
      url: t.string({
        description:
          'Public http or https address of the image. It is fetched without credentials or cookies.',
      }),
      file: t.field({
        type: 'Upload',
        description: 'PNG, JPEG, WebP, GIF or AVIF file. The content decides the type, not the name.',
      }),
      filename: t.string({
        description: 'Name of the file. Default: the name of the upload, or the one that the source gives.',
      }),
      ...pictureFields(t, ''),
      ...requestFields(t),
    }),
  },
  payload: imagePayload('Payload of `recordImage`.'),
  async resolve({ url, file, ...input }, { services, caller }) {
    if ((url == null) === (file == null))
      throw new InputError('INVALID_INPUT', 'Give either url or file.', { path: ['input', 'url'] });
    if (url != null) checkCharacters('url', url);
    const record = parseRecordInput(input, ownerFor(caller, input));
    // The input is checked first: an invalid one does not wait for its file.
    const recorded = Promise.resolve(file).then((received) =>
      recordImage(services, received == null ? { url: url as string } : { file: received }, record),
    );
    return { image: await atPath(['input', file == null ? 'url' : 'file'], recorded) };
  },
});
