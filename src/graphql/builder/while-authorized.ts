import type { GraphqlContext } from '../context.ts';

/** Ends the subscription before the first event after the caller's token has expired or was revoked. */
export function whileAuthorized<Event>(
  { isStillAuthorized }: Pick<GraphqlContext, 'isStillAuthorized'>,
  events: AsyncIterableIterator<Event>,
): AsyncIterableIterator<Event> {
  const end = async () => {
    await events.return?.();
    return { done: true, value: undefined } as const;
  };
  return {
    async next() {
      const result = await events.next();
      return result.done || (await isStillAuthorized()) ? result : end();
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
