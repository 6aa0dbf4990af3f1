import { LIMITS } from '../../image/input.ts';
import { MAX_PROMPT_LENGTH } from '../../image/upload/upload.ts';
import type { builder } from '../builder/builder.ts';
import { Visibility } from './image.ts';
import { OnDuplicate } from './on-duplicate.ts';

/** What the fields of an input are made with. */
type InputFields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** What a caller may say of an image on every way in, as image/input.ts checks it: whose it is, and what it belongs to. */
export const imageFields = (t: InputFields) => ({
  userId: t.string({
    description: `Whose it is, up to ${LIMITS.userIdLength} characters. Without it the token's user, or \`root\` where the token may act for any; a token for one user may name no other (FORBIDDEN).`,
  }),
  username: t.string({ description: `What people call the user, up to ${LIMITS.nameLength} characters.` }),
  requestId: t.string({
    description: `The caller's own mark of the request that it belongs to, up to ${LIMITS.nameLength} characters; \`ImageFilter\` finds by it. A request that is sent again is not known by it.`,
  }),
  messageId: t.string({
    description: `The caller's own mark of the message that it belongs to, such as one of a chat, up to ${LIMITS.nameLength} characters; \`ImageFilter\` finds by it.`,
  }),
  tags: t.stringList({
    description: `Up to ${LIMITS.tags} of up to ${LIMITS.tagLength} characters each; one that is there twice counts once.`,
  }),
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
  prompt: t.string({
    description: `What it was made from, up to ${MAX_PROMPT_LENGTH.toLocaleString('en')} characters; empty without it.`,
  }),
  model: t.string({ description: 'What it was made with, under any name, up to 200 characters.' }),
  onDuplicate: t.field({ type: OnDuplicate, description: 'CREATE by default.' }),
});
