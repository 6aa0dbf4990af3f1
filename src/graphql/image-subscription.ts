import { visibleFilter, visibleTo } from '../auth/authorization.ts';
import type { Image as ImageModel } from '../image/image.ts';
import { watchImage, watchImages } from '../image/watch.ts';
import { builder } from './builder.ts';
import type { GraphqlContext } from './context.ts';
import { Image, parseImageId } from './image.ts';
import { WHICH_IMAGES } from './image-list.ts';

builder.subscriptionFields((t) => ({
  imageUpdated: t.field({
    type: Image,
    description:
      'The image now, and whenever it has changed, whichever server or worker changed it. Changes that follow each other fast may come as one. It ends when the image is purged.',
    args: {
      id: t.arg.id({
        required: true,
        description:
          '`Image.id`, or `Image.uuid`. NOT_FOUND where there is none, or none that the caller sees.',
      }),
    },
    subscribe: (_root, { id }, context) =>
      whileLetIn(context, watchImage(context.services, parseImageId(String(id)), visibleTo(context.caller))),
    resolve: (image) => image,
  }),
  imagesUpdated: t.field({
    type: Image,
    description:
      'Images that the filter finds, each whenever it was made or has changed, from now on; of more than 1000 that change at once the newest. With `trash: INCLUDE` also those that are deleted.',
    args: {
      filter: t.arg(WHICH_IMAGES),
    },
    subscribe: (_root, { filter }, context) =>
      whileLetIn(context, watchImages(context.services, visibleFilter(context.caller, filter))),
    resolve: (image) => image,
  }),
}));

/** Ends before the first image that comes after the token has expired or was revoked. */
function whileLetIn(
  { isLetIn }: GraphqlContext,
  images: AsyncIterableIterator<ImageModel>,
): AsyncIterableIterator<ImageModel> {
  const end = async () => {
    await images.return?.();
    return { done: true, value: undefined } as const;
  };
  return {
    async next() {
      const result = await images.next();
      return result.done || (await isLetIn()) ? result : end();
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
