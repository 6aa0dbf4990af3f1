import { cacheExchange } from '@urql/exchange-graphcache';
import { Client, fetchExchange, mapExchange, subscriptionExchange } from 'urql';
import { addressOf } from './address.ts';
import { keys } from './cache-keys.ts';
import { forwardSubscription } from './events.ts';
import { HEADERS } from './headers.ts';
import { session } from './session-state.ts';

/**
 * Makes the GraphQL client of the gallery: a normalised cache, files in multipart requests, subscriptions as
 * server-sent events. A response with status 401 marks the session as ended.
 */
export const makeClient = () =>
  new Client({
    url: addressOf('graphql'),
    preferGetMethod: false,
    fetchOptions: { headers: HEADERS, credentials: 'same-origin' },
    exchanges: [
      mapExchange({
        onResult(result) {
          const status = (result.error?.response as Response | undefined)?.status;
          if (status === 401) session.end();
        },
      }),
      cacheExchange({ keys }),
      fetchExchange,
      subscriptionExchange({ forwardSubscription }),
    ],
  });
