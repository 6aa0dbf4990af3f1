import { ownerFor } from '../../auth/authorization.ts';
import { atPath, type SourceExpiredError } from '../../errors.ts';
import { importImage, parseImportInput } from '../../image/import/import-image.ts';
import { builder } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { type Fault, UserError } from '../user-error.ts';
import { answer, type ImagePayload, imagePayload } from './payload.ts';

builder.objectRef<Fault<SourceExpiredError>>('SourceExpiredError').implement({
  description: 'The address has expired: its source gives the bytes no more.',
  interfaces: [UserError],
  fields: (t) => ({
    expiredAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ fault }) => fault.expiredAt,
      description: 'Since when, where the address or its source says so.',
    }),
  }),
});

const ImportImageInput = builder.inputType('ImportImageInput', {
  description: 'Where a picture is, and what is said of it.',
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        'Where the picture is: a public address of http or https. It is fetched without credentials or cookies, and kept as `originalUrl`.',
    }),
    filename: t.string({
      description: 'The name to offer it under; without it, what its source calls it.',
    }),
    ...pictureFields(t, 'importImage'),
  }),
});

builder.mutationField('importImage', (t) =>
  t.field({
    type: imagePayload('ImportImagePayload', 'The image that is kept of it, or why none is.'),
    description:
      'Rescues a picture from an address that will expire. It is answered when every required store holds its bytes.',
    args: {
      input: t.arg({
        type: ImportImageInput,
        required: true,
        description: 'The address, and what is said of the picture.',
      }),
    },
    resolve: (_root, { input }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => {
        const record = parseImportInput(input, ownerFor(caller, input));
        return { payload: { image: await atPath(['input', 'url'], importImage(services, record)) } };
      }),
  }),
);
