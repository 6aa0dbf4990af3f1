import { ownerFor } from '../../auth/authorization.ts';
import { atPath, type SourceExpiredError } from '../../errors.ts';
import { importImage, parseImportInput } from '../../image/import/import-image.ts';
import { builder } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { type Fault, UserError } from '../user-error.ts';
import { imagePayload, mutation } from './mutation.ts';

builder.objectRef<Fault<SourceExpiredError>>('SourceExpiredError').implement({
  description: 'The address has expired; its source no longer returns the bytes.',
  interfaces: [UserError],
  fields: (t) => ({
    expiredAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ fault }) => fault.expiredAt,
      description: 'When the address expired; null if neither the address nor its source says so.',
    }),
  }),
});

mutation({
  name: 'importImage',
  scope: 'images:write',
  description:
    'Fetches an image from an address, such as a provider address that will expire, and stores it. Returns when every required store has its bytes.',
  input: {
    description: 'The address of an image to import, and the details of the image.',
    fields: (t) => ({
      url: t.string({
        required: true,
        description:
          'Public http or https address of the image. It is fetched without credentials or cookies, and stored as `originalUrl`.',
      }),
      filename: t.string({
        description: 'Name of the file. Default: the name that the source gives.',
      }),
      ...pictureFields(t, 'importImage'),
    }),
  },
  payload: imagePayload('Payload of `importImage`.'),
  async resolve(input, { services, caller }) {
    const record = parseImportInput(input, ownerFor(caller, input));
    return { image: await atPath(['input', 'url'], importImage(services, record)) };
  },
});
