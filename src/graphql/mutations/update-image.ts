import { updateImage } from '../../image/update.ts';
import type { InputFields } from '../builder/builder.ts';
import { Visibility } from '../image/image.ts';
import { IMAGE_ID, requireImage } from '../image/image-id.ts';
import { imagePayload, mutation } from './mutation.ts';

/** Returns the fields of changes that several images can get at once. */
export const changeFields = (t: InputFields) => ({
  tags: t.stringList({ description: 'Tags that replace all present tags; null or `[]` removes them.' }),
  addTags: t.stringList({
    description: 'Tags to add after the present ones. Cannot be combined with `tags`.',
  }),
  removeTags: t.stringList({
    description:
      'Tags to remove; those that the image does not have are ignored. Cannot be combined with `tags`.',
  }),
  metadata: t.field({
    type: 'JSON',
    description: 'JSON object, up to 64 KiB, that replaces the present metadata; null removes it.',
  }),
  mergeMetadata: t.field({
    type: 'JSON',
    description:
      'JSON object to merge into the present metadata, one level deep: each key replaces the value of the same key, and a null value removes the key. Cannot be combined with `metadata`.',
  }),
  visibility: t.field({
    type: Visibility,
    description:
      'New visibility of the bytes of the image and of its parts; null changes nothing. PRIVATE does not revoke signed addresses or copies in caches.',
  }),
  pinned: t.boolean({
    description:
      'Whether every retention policy keeps the image; null changes nothing. A pinned part keeps its whole.',
  }),
});

mutation({
  name: 'updateImage',
  scope: 'images:write',
  description:
    'Changes the tags, metadata, visibility, pin or filename of an image; its bytes never change. Either all changes are made or none. CONFLICT if the image is in the trash.',
  input: {
    description: 'Changes to an image. Fields that are left out keep their values.',
    fields: (t) => ({
      id: t.id(IMAGE_ID),
      ...changeFields(t),
      filename: t.string({
        description:
          'New name of the file. `Image.filename` keeps its letters, digits, `.`, `_` and `-`, followed by a unique suffix and the extension of the type; null gives the name `image-` with that suffix. `url` changes with it. Older `/images/…` addresses stay valid; `/generated/{filename}` is valid for the new name only.',
      }),
    }),
  },
  payload: imagePayload('Payload of `updateImage`.'),
  async resolve({ id, ...changes }, context) {
    const image = await requireImage(context, String(id));
    return { image: await updateImage(context.services, image, changes) };
  },
});
