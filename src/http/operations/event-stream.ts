/**
 * Subscriptions as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), in the way of graphql-sse's distinct
 * connections. Yoga's own writer has no ids. Here each event has one, and so has each ping, so that a client that comes again with
 * Last-Event-ID misses nothing: an id says up to when the client has been told.
 *
 * `complete` says that there will be nothing more to tell. Where the server stops, or cannot reach its database, there will be: then the connection is
 * cut, and clients connect again by themselves.
 */
import type { ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { GraphqlContext } from '../../graphql/context.ts';
import type { ServerContext } from '../body/request-body.ts';

/** So that neither side, nor a proxy between, takes a connection on which nothing happens for dead. */
const PING_SECONDS = 12;

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  // nginx would hold events back until it has a few kilobytes of them.
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
      // Without a processor by now, the client takes no events.
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
        // An id without data moves a client's Last-Event-ID and dispatches nothing.
        controller.enqueue(encoder.encode(id === null ? ':\n\n' : `:\nid: ${id}\n\n`));
      };
      // Some clients see no headers before something has come.
      ping();
      pings = setInterval(() => {
        // 0: the client does not read; null: it is gone.
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

/** Codes of errors after which the same subscription, asked for again, goes on. */
const PASSING: ReadonlySet<unknown> = new Set(['OVERLOADED', 'IDENTITY_UNAVAILABLE', 'DATABASE_UNAVAILABLE']);

/**
 * Whether an event would tell that the server stops, or that its database is away. Without a path, the error is not of a field: what is to come could not
 * be read. A field that is broken for good fails each time, and is told.
 */
async function isOfOutage(
  errors: readonly GraphQLError[] = [],
  { services }: Pick<GraphqlContext, 'services'>,
): Promise<boolean> {
  if (errors.some(({ extensions }) => PASSING.has(extensions.code))) return true;
  const unexpected = errors.filter(({ extensions }) => extensions.unexpected === true);
  if (unexpected.length === 0) return false;
  if (unexpected.some(({ path }) => path === undefined)) return true;
  return services.database.query('SELECT 1').then(
    () => false,
    () => true,
  );
}

/** Events come one by one, so what the context says of an event is said of the one that has just come. */
function eventOf(result: ExecutionResult, state: GraphqlContext['events']): string {
  const { id, missedSince } = state;
  state.missedSince = null;
  const extensions =
    missedSince === null
      ? result.extensions
      : { ...result.extensions, missedSince: missedSince.toISOString() };
  const data = JSON.stringify({
    ...result,
    ...(result.errors ? { errors: result.errors.map(written) } : {}),
    ...(extensions ? { extensions } : {}),
  });
  return `event: next\n${id === null ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}

/** Without what is meant for the head of an answer. */
function written(error: GraphQLError): object {
  const { extensions: { http: _http, unexpected: _unexpected, ...extensions } = {}, ...rest } =
    error.toJSON();
  return Object.keys(extensions).length > 0 ? { ...rest, extensions } : rest;
}
