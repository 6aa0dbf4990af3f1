import { fetch } from 'undici';
import { ROOT_TOKEN, type TestApp } from '../harness.ts';

// biome-ignore lint/suspicious/noExplicitAny: what is asked decides what comes
export type Answer = { data?: any; errors?: { message: string; extensions?: Record<string, unknown> }[] };

/** Sends a document as a client does, and reads the whole response. */
export async function ask(
  app: Pick<TestApp, 'url'>,
  query: string,
  variables: Record<string, unknown> = {},
  token = ROOT_TOKEN,
): Promise<Answer> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}
