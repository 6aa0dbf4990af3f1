/** A typed client in one function. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;

/** Sends a document and returns its data. @throws with the messages of `errors`. */
export async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(`${FIXATIVE_URL}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${FIXATIVE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document), variables }),
    signal: AbortSignal.timeout(180_000),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string }[] };
  if (errors || !data)
    throw new Error(errors?.map(({ message }) => message).join('\n') ?? response.statusText);
  return data;
}
