import { visibleFilter, visibleTo } from '../../auth/authorization.ts';
import { type Watched, type WatchedImage, watchImage, watchImages } from '../../image/events/watch.ts';
import type { Image } from '../../image/image.ts';
import { builder } from '../builder/builder.ts';
import type { GraphqlContext } from '../context.ts';
import { Image as ImageType, parseImageId } from './image.ts';
import { WHICH_IMAGES } from './image-list.ts';

builder.subscriptionFields((t) => ({
  imageUpdated: t.field({
    type: ImageType,
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
    resolve: tell,
  }),
  imagesUpdated: t.field({
    type: ImageType,
    description:
      'Images that the filter finds, each whenever it was made or has changed, from now on. A client that connects again with `Last-Event-ID`, as EventSource does, is first told what has changed since, up to a day and 1000 images ago; where that is not all, the first event has `extensions.missedSince`. With `trash: INCLUDE` also those that are deleted.',
    args: {
      filter: t.arg(WHICH_IMAGES),
    },
    subscribe: (_root, { filter }, context) => {
      const { services, caller, events } = context;
      return whileLetIn(context, watchImages(services, visibleFilter(caller, filter), events.lastId));
    },
    resolve: tell,
  }),
}));

/** Notes what the event is told with, and resolves to its image. */
function tell({ image, id, missedSince }: WatchedImage, _args: unknown, { events }: GraphqlContext): Image {
  events.id = id;
  events.missedSince = missedSince;
  return image;
}

/** Ends before the first image that comes after the token has expired or was revoked. */
function whileLetIn(
  { isLetIn, events }: GraphqlContext,
  images: Watched,
): AsyncIterableIterator<WatchedImage> {
  events.position = () => images.position();
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
