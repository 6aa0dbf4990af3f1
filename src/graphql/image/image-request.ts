/** Fields of `Image` that say how it was made. */
import { builder } from '../builder/builder.ts';
import { Image } from './image.ts';

builder.objectFields(Image, (t) => ({
  tool: t.exposeString('toolName', {
    description:
      'How the image was made: a name from `tools`, a name that another service gave, or the mutation that brought it in (`uploadImage`, `importImage`).',
  }),
  prompt: t.exposeString('prompt', {
    description: 'Prompt that the image was made from; empty if there was none.',
    extensions: { cost: { extra: 10 } },
  }),
  revisedPrompt: t.exposeString('revisedPrompt', {
    nullable: true,
    description: 'Prompt as the provider rewrote it; null if it did not.',
    extensions: { cost: { extra: 10 } },
  }),
  provider: t.exposeString('provider', {
    nullable: true,
    description:
      'Provider that made the image, such as `openai`; `vega` for a chart, which this server draws. Null if unknown.',
  }),
  model: t.exposeString('model', {
    nullable: true,
    description: 'Model that made the image, or will make it; null if unknown.',
  }),
  size: t.exposeString('size', {
    nullable: true,
    description: 'Requested size, `WIDTHxHEIGHT` in pixels. The actual size is `width` and `height`.',
  }),
  quality: t.exposeString('quality', {
    nullable: true,
    description: 'Requested quality; null if none was requested.',
  }),
  style: t.exposeString('style', {
    nullable: true,
    description: 'Requested style; null if none was requested.',
  }),
  n: t.exposeInt('n', { nullable: true, description: 'Number of images that the request asked for.' }),
  requestId: t.exposeString('requestId', {
    nullable: true,
    description:
      "The client's ID of the request that the image belongs to, shared by all its images; null if the client gave none.",
  }),
  messageId: t.exposeString('messageId', {
    nullable: true,
    description:
      "The client's ID of the message that the image belongs to, such as a chat message; null if the client gave none.",
  }),
}));
