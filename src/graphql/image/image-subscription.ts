import { visibleTo } from '../../auth/authorization.ts';
import { type Watched, type WatchedImage, watchImage, watchImages } from '../../image/events/watch.ts';
import { builder } from '../builder/builder.ts';
import { MAX_RELATED_PER_REQUEST } from '../builder/related-limit.ts';
import { whileAuthorized } from '../builder/while-authorized.ts';
import type { GraphqlContext } from '../context.ts';
import { Image } from './image.ts';
import { conditionsOf, WHICH_IMAGES } from './image-filter.ts';
import { parseImageId } from './image-id.ts';
import type { ImageShape } from './image-shape.ts';

builder.subscriptionFields((t) => ({
  imageUpdated: t.field({
    type: Image,
    description:
      'Sends an image when the subscription starts, and again after each change, whichever server or worker made it. Changes in quick succession may be sent as one. Ends when the image is purged.',
    extensions: { scope: 'images:read' },
    args: {
      id: t.arg.id({
        required: true,
        description:
          'ID of the image: `Image.id` or `Image.uuid`. INVALID_ID for anything else. NOT_FOUND if the image does not exist or the caller may not see it.',
      }),
    },
    subscribe: (_root, { id }, context) =>
      follow(context, watchImage(context.services, parseImageId(String(id)), visibleTo(context.caller))),
    resolve: beginEvent,
  }),
  imagesUpdated: t.field({
    type: Image,
    description:
      'Sends each image that matches the filter when it is created or changed. A client that reconnects with `Last-Event-ID`, as EventSource does, first gets the changes that it missed: at most 1000 images, at most one day back. If that is not all, the first event has `extensions.missedSince`. With `trash: INCLUDE`, images that are moved to the trash are sent too.',
    extensions: { scope: 'images:read' },
    args: {
      filter: t.arg(WHICH_IMAGES),
    },
    subscribe: async (_root, { filter }, context) => {
      const conditions = await conditionsOf(context, filter);
      const { services, events } = context;
      return follow(context, watchImages(services, conditions, events.lastId));
    },
    resolve: beginEvent,
  }),
}));

/**
 * Prepares the context for an event, because it lasts as long as the subscription, and returns the image of
 * the event.
 */
function beginEvent(
  { image, id, missedSince }: WatchedImage,
  _args: unknown,
  context: GraphqlContext,
): ImageShape {
  context.loaders.clear();
  context.relatedLeft = MAX_RELATED_PER_REQUEST;
  context.events.id = id;
  context.events.missedSince = missedSince;
  return image;
}

function follow(context: GraphqlContext, images: Watched): AsyncIterableIterator<WatchedImage> {
  context.events.position = () => images.position();
  return whileAuthorized(context, images);
}
