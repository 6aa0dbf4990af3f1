/** Sends documents in the ways that clients do. */
import { FormData } from 'undici';
import type { TestApp } from '../harness.ts';
import type { GeneratedDocument } from './document.ts';

/** The part of a response that does not depend on the time. */
export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function read(response: Awaited<ReturnType<TestApp['fetch']>>): Promise<Answer> {
  const text = (await response.text())
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<random>')
    // The expiry of a signed address depends on the time of the request.
    .replaceAll(/expires=\d+&signature=[\w-]+/g, 'expires=<time>&signature=<signature>');
  return { status: response.status, type: response.headers.get('content-type'), text };
}

/** The parameters of a request (https://graphql.github.io/graphql-over-http/draft/). */
export function parametersOf({ query, variables, operationName }: GeneratedDocument) {
  return { query, variables, ...(operationName === null ? {} : { operationName }) };
}

export async function byJson(app: TestApp, document: GeneratedDocument, accept: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json', accept };
  const body = JSON.stringify(parametersOf(document));
  return read(await app.fetch('/graphql', { method: 'POST', headers, body }));
}

export async function byMultipart(
  app: TestApp,
  document: GeneratedDocument,
  accept: string,
): Promise<Answer> {
  const form = new FormData();
  form.append('operations', JSON.stringify(parametersOf(document)));
  form.append(
    'map',
    JSON.stringify(Object.fromEntries(document.files.map((path, at) => [`f${at}`, [path]]))),
  );
  document.files.forEach((_, at) => {
    form.append(`f${at}`, new Blob([`file ${at}`]), 'a.png');
  });
  return read(await app.fetch('/graphql', { method: 'POST', headers: { accept }, body: form }));
}

export async function byGet(app: TestApp, document: GeneratedDocument, accept: string): Promise<Answer> {
  const { query, variables, operationName } = document;
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  if (operationName !== null) search.set('operationName', operationName);
  return read(await app.fetch(`/graphql?${search}`, { headers: { accept } }));
}
