import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { fetch } from 'undici';
import type { Succeeded } from '../harness.ts';

export const CRASH_TOKEN = 'crash-test-token-0123456789';

/** Sends a document to a server that is a process of its own. */
export async function askServer<Result, Variables>(
  { url }: { readonly url: string },
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
): Promise<Succeeded<Result>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${CRASH_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const { data, errors } = (await response.json()) as { data: Succeeded<Result>; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Waits until something is so, looking often. */
export async function within<Result>(seconds: number, check: () => Promise<Result>): Promise<Result> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
