import { DEFAULT_WAIT_SECONDS, MAX_IMAGES_PER_REQUEST, MAX_WAIT_SECONDS } from '../image/generate.ts';
import type { Image as ImageModel } from '../image/image.ts';
import { builder } from './builder.ts';
import { Image } from './image.ts';
import { answer, type Payload } from './payload.ts';
import { UserError } from './user-error.ts';

const GenerateImageInput = builder.inputType('GenerateImageInput', {
  fields: (t) => ({
    prompt: t.string({ required: true }),
    tool: t.string({ description: 'The tool that it is made for; `generateUserImage` by default.' }),
    model: t.string({ description: "A configured provider's model; the server's default model without it." }),
    size: t.string({ description: "`WIDTHxHEIGHT` in pixels; the model's default without it." }),
    quality: t.string(),
    style: t.string(),
    n: t.int({ description: `How many images, 1 to ${MAX_IMAGES_PER_REQUEST}; 1 by default.` }),
    userId: t.string({ description: 'Whose it is, up to 32 characters; `root` by default.' }),
    username: t.string(),
    requestId: t.string(),
    messageId: t.string(),
    tags: t.stringList(),
    metadata: t.field({ type: 'JSON', description: 'A JSON object of up to 64 KiB.' }),
    waitSeconds: t.int({
      description: `How long to wait for the images, 0 to ${MAX_WAIT_SECONDS}; ${DEFAULT_WAIT_SECONDS} by default. What is not ready by then is answered as PROCESSING and goes on.`,
    }),
  }),
});

interface GeneratePayload extends Payload {
  readonly images: readonly ImageModel[];
}

const GenerateImagePayload = builder.objectRef<GeneratePayload>('GenerateImagePayload').implement({
  fields: (t) => ({
    images: t.field({ type: [Image], resolve: ({ images }) => [...images] }),
    userErrors: t.expose('userErrors', { type: [UserError] }),
  }),
});

builder.mutationField('generateImage', (t) =>
  t.field({
    type: GenerateImagePayload,
    description:
      'Makes images from a prompt and keeps them. An image whose provider refuses or fails is returned with the status FAILED and its `error`.',
    args: { input: t.arg({ type: GenerateImageInput, required: true }) },
    resolve: (_root, { input }, { services, caller }) =>
      answer<GeneratePayload>({ images: [] }, async () => ({
        payload: { images: await services.generator.generate(input, caller) },
      })),
  }),
);
