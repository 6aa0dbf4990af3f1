import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { fetch } from 'undici';
import { ROOT_TOKEN } from '../harness.ts';

/**
 * Follows a subscription over server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */
export async function* follow<Result, Variables>(
  { url }: { readonly url: string },
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
  token = ROOT_TOKEN,
): AsyncGenerator<Result> {
  const ending = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({ query: print(document), variables }),
    signal: ending.signal,
  });
  let text = '';
  try {
    for await (const chunk of response.body ?? []) {
      text += new TextDecoder().decode(chunk as Uint8Array);
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const data = /^data: (.+)$/m.exec(event)?.[1];
        if (!/^event: next$/m.test(event) || !data) continue;
        const { data: result, errors } = JSON.parse(data) as { data: Result; errors?: unknown };
        if (errors) throw new Error(JSON.stringify(errors));
        yield result;
      }
    }
  } finally {
    ending.abort();
  }
}
