import type { OnDuplicate, Visibility } from '../generated/graphql.ts';

/** Options of every image of a batch; an empty text is not sent. */
export interface UploadOptions {
  readonly tags: readonly string[];
  readonly visibility: Visibility | '';
  readonly onDuplicate: OnDuplicate;
  readonly userId: string;
  readonly tool: string;
  readonly prompt: string;
}

export const DEFAULT_OPTIONS: UploadOptions = {
  tags: [],
  visibility: '',
  onDuplicate: 'REUSE',
  userId: '',
  tool: '',
  prompt: '',
};

/** Returns the fields of the input that the options set. */
export function inputOf({ tags, visibility, onDuplicate, userId, tool, prompt }: UploadOptions) {
  return {
    onDuplicate,
    ...(tags.length > 0 ? { tags: [...tags] } : {}),
    ...(visibility ? { visibility } : {}),
    ...(userId.trim() ? { userId: userId.trim() } : {}),
    ...(tool.trim() ? { tool: tool.trim() } : {}),
    ...(prompt.trim() ? { prompt } : {}),
  };
}
