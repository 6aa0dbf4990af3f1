import { cacheExchange } from '@urql/exchange-graphcache';
import { Client, fetchExchange, mapExchange, subscriptionExchange } from 'urql';
import { addressOf } from './address.ts';
import { keys } from './cache-keys.ts';
import { forwardSubscription } from './events.ts';
import { HEADERS } from './headers.ts';
import { session } from './session-state.ts';

const CONNECTION = {
  url: addressOf('graphql'),
  preferGetMethod: false,
  fetchOptions: { headers: HEADERS, credentials: 'same-origin' },
} as const;

const endSession = mapExchange({
  onResult(result) {
    const status = (result.error?.response as Response | undefined)?.status;
    if (status === 401) session.end();
  },
});

const subscriptions = subscriptionExchange({ forwardSubscription });

/**
 * Makes the GraphQL client of the gallery: a normalised cache, files in multipart requests, subscriptions as
 * server-sent events. A response with status 401 marks the session as ended.
 */
export const makeClient = () =>
  new Client({
    ...CONNECTION,
    exchanges: [endSession, cacheExchange({ keys }), fetchExchange, subscriptions],
  });

/**
 * Client without a cache, for lists that are scrolled through without end. Their pages would stay in the
 * normalised cache, and memory would grow with each.
 */
export const uncached = new Client({
  ...CONNECTION,
  requestPolicy: 'network-only',
  exchanges: [endSession, fetchExchange, subscriptions],
});
