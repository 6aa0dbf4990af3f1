/**
 * Subscriptions as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in
 * the "distinct connections" mode of graphql-sse. Yoga's own writer sends no ids. Here each event and each
 * ping has an id, so that a client that reconnects with Last-Event-ID misses nothing.
 *
 * `complete` says that the subscription has ended. When the server stops, or cannot reach its database, it
 * has not ended: the connection is cut, and clients reconnect by themselves.
 */
import type { ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { GraphqlContext } from '../../graphql/context.ts';
import type { ServerContext } from '../body/request-body.ts';

/** Seconds between pings. Without them a client or a proxy takes a silent connection for dead. */
const PING_SECONDS = 12;

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  // Otherwise nginx buffers some kilobytes of events.
  'X-Accel-Buffering': 'no',
};

export function useEventStream(pingSeconds = PING_SECONDS): Plugin<GraphqlContext> {
  const contexts = new WeakMap<Request, GraphqlContext & ServerContext>();
  return {
    onSubscribe({ args }) {
      const context = args.contextValue as unknown as GraphqlContext & ServerContext & { request?: Request };
      if (context.request) contexts.set(context.request, context);
    },
    onResultProcess({ request, result, resultProcessor, setResultProcessor }) {
      const context = contexts.get(request);
      // Without a processor the client does not accept events.
      if (!context || !resultProcessor || !isAsyncIterable(result)) return;
      const events = result as AsyncIterable<ExecutionResult>;
      setResultProcessor(
        (_result, fetchAPI) =>
          new fetchAPI.Response(streamOf(events, context, { pingSeconds, fetchAPI }), { headers: HEADERS }),
        'text/event-stream',
      );
    },
  };
}

function streamOf(
  events: AsyncIterable<ExecutionResult>,
  context: GraphqlContext & ServerContext,
  { pingSeconds, fetchAPI }: { pingSeconds: number; fetchAPI: { ReadableStream: typeof ReadableStream } },
): ReadableStream<Uint8Array> {
  const { events: state, res } = context;
  const iterator = events[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let pings: NodeJS.Timeout | undefined;
  return new fetchAPI.ReadableStream<Uint8Array>({
    start(controller) {
      const ping = () => {
        const id = state.position();
        // An id without data sets the client's Last-Event-ID and dispatches no event.
        controller.enqueue(encoder.encode(id === null ? ':\n\n' : `:\nid: ${id}\n\n`));
      };
      // Some clients see the headers only after the first byte of the body.
      ping();
      pings = setInterval(() => {
        // 0: the client does not read; null: it has disconnected.
        if (controller.desiredSize === null) clearInterval(pings);
        else if (controller.desiredSize > 0) ping();
      }, pingSeconds * 1000);
    },
    async pull(controller) {
      const end = () => {
        clearInterval(pings);
        controller.close();
      };
      try {
        const { done, value } = await iterator.next();
        if (!done && !(await isOfOutage(value.errors, context))) {
          controller.enqueue(encoder.encode(eventOf(value, state)));
          return;
        }
        if (done) controller.enqueue(encoder.encode(COMPLETE));
        else res.destroy();
      } catch {
        res.destroy();
      }
      end();
      await iterator.return?.();
    },
    async cancel() {
      clearInterval(pings);
      await iterator.return?.();
    },
  });
}

const COMPLETE = 'event: complete\ndata:\n\n';

/** Codes of temporary errors: the subscription goes on when the client reconnects. */
const TEMPORARY: ReadonlySet<unknown> = new Set([
  'OVERLOADED',
  'IDENTITY_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
]);

/**
 * Returns whether errors mean that the server stops, or cannot reach its database. An unexpected error
 * without a path is of the event source and not of a field. The error of a field is sent, because the field
 * would fail each time.
 */
async function isOfOutage(
  errors: readonly GraphQLError[] = [],
  { services }: Pick<GraphqlContext, 'services'>,
): Promise<boolean> {
  if (errors.some(({ extensions }) => TEMPORARY.has(extensions.code))) return true;
  const unexpected = errors.filter(({ extensions }) => extensions.unexpected === true);
  if (unexpected.length === 0) return false;
  if (unexpected.some(({ path }) => path === undefined)) return true;
  return services.database.query('SELECT 1').then(
    () => false,
    () => true,
  );
}

/** Formats an event. Events come one by one, so the state in the context belongs to this one. */
function eventOf(result: ExecutionResult, state: GraphqlContext['events']): string {
  const { id, missedSince } = state;
  state.missedSince = null;
  const extensions =
    missedSince === null
      ? result.extensions
      : { ...result.extensions, missedSince: missedSince.toISOString() };
  const data = JSON.stringify({
    ...result,
    ...(result.errors ? { errors: result.errors.map(withoutHead) } : {}),
    ...(extensions ? { extensions } : {}),
  });
  return `event: next\n${id === null ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}

/** Returns the error without the extensions that are meant for the response head. */
function withoutHead(error: GraphQLError): object {
  const { extensions: { http: _http, unexpected: _unexpected, ...extensions } = {}, ...rest } =
    error.toJSON();
  return Object.keys(extensions).length > 0 ? { ...rest, extensions } : rest;
}
