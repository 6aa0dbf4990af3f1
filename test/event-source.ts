import { fetch } from 'undici';
import { ROOT_TOKEN } from './harness.ts';

export interface SentEvent {
  readonly event: string;
  readonly id: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: the query decides the type
  readonly data: any;
}

/**
 * Reads server-sent events as a browser's EventSource does, with the last event id, also of a ping:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function openEvents(
  { url }: { readonly url: string },
  query: string,
  options: { variables?: object; lastEventId?: string | null; token?: string } = {},
): Promise<{
  readonly headers: Headers;
  readonly lastEventId: () => string | null;
  next(): Promise<SentEvent | null>;
  close(): void;
}> {
  const ending = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${options.token ?? ROOT_TOKEN}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(options.lastEventId ? { 'last-event-id': options.lastEventId } : {}),
    },
    body: JSON.stringify({ query, variables: options.variables ?? {} }),
    signal: ending.signal,
  });
  let lastEventId = options.lastEventId ?? null;
  const events = read();

  async function* read(): AsyncGenerator<SentEvent> {
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const fields = new Map(
            block
              .split('\n')
              .filter((line) => !line.startsWith(':'))
              .map((line) => {
                const at = line.indexOf(':');
                return [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')] as const;
              }),
          );
          lastEventId = fields.get('id') ?? lastEventId;
          const data = fields.get('data');
          if (data === undefined) continue;
          yield {
            event: fields.get('event') ?? 'message',
            id: fields.get('id') ?? null,
            data: data === '' ? null : JSON.parse(data),
          };
        }
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
  }

  return {
    headers: response.headers as unknown as Headers,
    lastEventId: () => lastEventId,
    next: async () => (await events.next()).value ?? null,
    close: () => ending.abort(),
  };
}
