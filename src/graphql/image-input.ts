import type { builder } from './builder.ts';
import { Visibility } from './image.ts';
import { OnDuplicate } from './on-duplicate.ts';

/** What the fields of an input are made with. */
type InputFields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** What a caller may say of an image on every way in, as image/input.ts checks it: whose it is, and what it belongs to. */
export const imageFields = (t: InputFields) => ({
  userId: t.string({
    description:
      "Whose it is, up to 32 characters. Without it the token's user, or `root` where the token may act for any; a token for one user may name no other (FORBIDDEN).",
  }),
  username: t.string(),
  requestId: t.string(),
  messageId: t.string(),
  tags: t.stringList(),
  metadata: t.field({ type: 'JSON', description: 'A JSON object of up to 64 KiB.' }),
  visibility: t.field({
    type: Visibility,
    description: "Without it the server's default (DEFAULT_VISIBILITY), PUBLIC as delivered.",
  }),
});

/** The same, and what can be said of a picture that is there already. @param way the tool that it belongs to by default. */
export const pictureFields = (t: InputFields, way: string) => ({
  ...imageFields(t),
  tool: t.string({ description: `The tool that it belongs to; \`${way}\` by default.` }),
  prompt: t.string(),
  model: t.string(),
  onDuplicate: t.field({ type: OnDuplicate, description: 'CREATE by default.' }),
});
