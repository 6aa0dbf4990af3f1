import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Caller } from '../../auth/caller.ts';
import type { ServerContext } from '../body/request-body.ts';
import type { Traffic } from '../traffic/traffic.ts';

/** Limits the open subscriptions. Each is counted until its response is closed. */
export function useSubscriptionLimits(traffic: Pick<Traffic, 'enterSubscription'>): Plugin {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { req, res, caller } = args.contextValue as unknown as ServerContext & { caller: Caller };
      const refusal = traffic.enterSubscription({ request: req, response: res }, caller);
      if (!refusal) return;
      const { code, status, message, retryAfterSeconds } = refusal;
      const http = { status, headers: { 'Retry-After': String(retryAfterSeconds) } };
      setResultAndStopExecution({ errors: [new GraphQLError(message, { extensions: { code, http } })] });
    },
  };
}
