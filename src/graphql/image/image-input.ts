/** Fields that several inputs have in common; image/input.ts checks them. */
import { LIMITS } from '../../image/input.ts';
import { MAX_PROMPT_LENGTH } from '../../image/upload/upload.ts';
import type { InputFields } from '../builder/builder.ts';
import { Visibility } from './image.ts';
import { OnDuplicate } from './on-duplicate.ts';

/** Returns the fields of every input that creates images. */
export const imageFields = (t: InputFields) => ({
  userId: t.string({
    description: `ID of the user who will own the image, up to ${LIMITS.userIdLength} characters. Default: the token's user, or \`root\` for a token without one. FORBIDDEN if the token is for another user.`,
  }),
  username: t.string({
    description: `Display name of the user, up to ${LIMITS.nameLength} characters.`,
  }),
  requestId: t.string({
    description: `Your ID of the request that the image belongs to, up to ${LIMITS.nameLength} characters; \`ImageFilter.requestId\` finds it. It does not make the mutation idempotent.`,
  }),
  messageId: t.string({
    description: `Your ID of the message that the image belongs to, such as a chat message, up to ${LIMITS.nameLength} characters; \`ImageFilter.messageId\` finds it.`,
  }),
  tags: t.stringList({
    description: `Tags, up to ${LIMITS.tags} of up to ${LIMITS.tagLength} characters each. Repeated tags are stored once.`,
  }),
  metadata: t.field({ type: 'JSON', description: 'Any JSON object, up to 64 KiB.' }),
  visibility: t.field({
    type: Visibility,
    description:
      'Visibility of the bytes: who can fetch them. Default: DEFAULT_VISIBILITY of the server, which is PUBLIC unless configured.',
  }),
});

/**
 * Returns the fields of every input that brings in an existing picture.
 * @param defaultTool value of `tool` if the client gives none.
 */
export const pictureFields = (t: InputFields, defaultTool: string) => ({
  ...imageFields(t),
  tool: t.string({ description: `Name of the tool that made the image. Default: \`${defaultTool}\`.` }),
  prompt: t.string({
    description: `Prompt that the image was made from, up to ${MAX_PROMPT_LENGTH.toLocaleString('en')} characters. Default: the prompt in the file, otherwise empty.`,
  }),
  model: t.string({
    description: 'Model that made the image; any name, up to 200 characters. Default: the model in the file.',
  }),
  onDuplicate: t.field({
    type: OnDuplicate,
    description: 'Action if the user already has an image with the same bytes. Default: CREATE.',
  }),
});
