import type { SourceExpiredError } from '../errors.ts';
import { parseRescueInput, rescueImage } from '../image/rescue.ts';
import { builder } from './builder.ts';
import { OnDuplicate } from './on-duplicate.ts';
import { answer, type ImagePayload, imagePayload } from './payload.ts';
import { type Fault, UserError } from './user-error.ts';

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
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        'Where the picture is: a public address of http or https. It is fetched without credentials or cookies, and kept as `originalUrl`.',
    }),
    filename: t.string({
      description: 'The name to offer it under; without it, what its source calls it.',
    }),
    userId: t.string({ description: 'Whose it is, up to 32 characters; `root` by default.' }),
    username: t.string(),
    tool: t.string({ description: 'The tool that it belongs to; `importImage` by default.' }),
    prompt: t.string(),
    model: t.string(),
    requestId: t.string(),
    messageId: t.string(),
    tags: t.stringList(),
    metadata: t.field({ type: 'JSON', description: 'A JSON object of up to 64 KiB.' }),
    onDuplicate: t.field({ type: OnDuplicate, description: 'CREATE by default.' }),
  }),
});

builder.mutationField('importImage', (t) =>
  t.field({
    type: imagePayload('ImportImagePayload'),
    description:
      'Rescues a picture from an address that will expire. It is answered when every required store holds its bytes.',
    args: { input: t.arg({ type: ImportImageInput, required: true }) },
    resolve: (_root, { input }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => ({
        payload: { image: await rescueImage(services, parseRescueInput(input, caller)) },
      })),
  }),
);
