import { updateImage } from '../../image/update.ts';
import { builder } from '../builder/builder.ts';
import { IMAGE_ID, requireImage, Visibility } from '../image/image.ts';
import { answer, type ImagePayload, imagePayload } from './payload.ts';

const UpdateImageInput = builder.inputType('UpdateImageInput', {
  description: 'What is left out stays as it is; null empties.',
  fields: (t) => ({
    id: t.id(IMAGE_ID),
    tags: t.stringList({ description: 'In place of the tags that it has; null as `[]`: it has none then.' }),
    addTags: t.stringList({ description: 'Put behind the tags that it has; not with `tags`.' }),
    removeTags: t.stringList({ description: 'Taken away where it has them; not with `tags`.' }),
    metadata: t.field({
      type: 'JSON',
      description:
        'A JSON object of up to 64 KiB, in place of the metadata that it has; null: it has none then.',
    }),
    mergeMetadata: t.field({
      type: 'JSON',
      description:
        'A JSON object whose keys take the place of the same keys of the metadata that it has, their values as a whole; a key whose value is null is taken away. Not with `metadata`.',
    }),
    visibility: t.field({
      type: Visibility,
      description:
        'Of the image and of its parts; null leaves it. PRIVATE calls nothing back that caches have, nor signed addresses that were given out.',
    }),
    filename: t.string({
      description:
        'The name to offer it under: letters, digits, `.`, `_` and `-` of it, then an end that makes it unique and says the type; null for a name that says nothing. `url` changes with it. Older addresses below `/images` answer as before; `/generated/{filename}` answers to the new name only.',
    }),
  }),
});

builder.mutationField('updateImage', (t) =>
  t.field({
    type: imagePayload('UpdateImagePayload', 'The image that was changed, or why nothing was.'),
    description:
      'Changes what is said of an image; never its bytes. All of it is changed, or nothing. An image in the trash is not changed (CONFLICT).',
    args: {
      input: t.arg({
        type: UpdateImageInput,
        required: true,
        description: 'Which image, and what is to be changed of it.',
      }),
    },
    resolve: (_root, { input: { id, ...changes } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return { payload: { image: await updateImage(context.services, image, changes) } };
      }),
  }),
);
