import { ownerFor } from '../../auth/authorization.ts';
import { atPath, InputError } from '../../errors.ts';
import { checkCharacters } from '../../image/input.ts';
import { parseRecordInput, recordImage } from '../../image/record.ts';
import { builder } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { answer, type ImagePayload, imagePayload } from './payload.ts';

const RecordImageInput = builder.inputType('RecordImageInput', {
  description: 'What another service says of an image that it has made, with either `url` or `file`.',
  fields: (t) => ({
    url: t.string({
      description:
        'Where the picture is: a public address of http or https. It is fetched without credentials or cookies.',
    }),
    file: t.field({
      type: 'Upload',
      description: 'PNG, JPEG, WebP, GIF or AVIF; by content, not by name.',
    }),
    ...pictureFields(t, ''),
    tool: t.string({
      required: true,
      description: "The other service's own name for what it was made with; any name will do.",
    }),
    provider: t.string({ description: 'Up to 50 characters.' }),
    size: t.string({ description: 'As it was asked for, up to 20 characters.' }),
    quality: t.string({ description: 'Up to 20 characters.' }),
    style: t.string({ description: 'Up to 20 characters.' }),
    revisedPrompt: t.string({ description: 'What the provider made of the prompt.' }),
    n: t.int({ description: 'How many images the request asked for; 1 by default.' }),
    createdAt: t.field({ type: 'DateTime', description: 'When it was made; now by default.' }),
    originalUrl: t.string({
      description: 'Where the provider had it, for reference; never fetched. `url` by default.',
    }),
    filename: t.string({
      description: 'The name to offer it under; without it, the name that comes with the bytes.',
    }),
  }),
});

builder.mutationField('recordImage', (t) =>
  t.field({
    type: imagePayload('RecordImagePayload', 'The image that is kept of it, or why none is.'),
    description:
      'Keeps an image that another service has made and paid for, with all that is known of it. It is answered when every required store holds its bytes.',
    args: {
      input: t.arg({
        type: RecordImageInput,
        required: true,
        description: 'The picture, and what is known of it.',
      }),
    },
    resolve: (_root, { input: { url, file, ...input } }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => {
        if ((url == null) === (file == null))
          throw new InputError('INVALID_INPUT', 'Give either url or file.', { path: ['input', 'url'] });
        if (url != null) checkCharacters('url', url);
        const record = parseRecordInput(input, ownerFor(caller, input));
        // Only what was described well is waited for.
        const recorded = Promise.resolve(file).then((received) =>
          recordImage(services, received == null ? { url: url as string } : { file: received }, record),
        );
        return { payload: { image: await atPath(['input', file == null ? 'url' : 'file'], recorded) } };
      }),
  }),
);
