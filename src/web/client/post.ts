import { stringifyDocument, type TypedDocumentNode } from 'urql';
import { addressOf } from './address.ts';
import { HEADERS } from './headers.ts';
import { multipartOf } from './multipart.ts';
import { session } from './session-state.ts';

/** Response to a request. */
export interface Posted<Data> {
  readonly status: number;
  /** Seconds to wait before a retry, as the server asks; null if it does not say. */
  readonly retryAfterSeconds: number | null;
  readonly data: Data | null;
  /** Errors of the request itself, with their codes. */
  readonly errors: readonly { readonly code: string; readonly message: string }[];
}

interface PostOptions {
  /** Called with the bytes sent so far, of all bytes of the request. */
  readonly onProgress?: (sent: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** The request was aborted, or got no response. */
export class NoResponse extends Error {}

/**
 * Sends an operation, with the files of its variables, and reports the progress of sending. `fetch` cannot
 * report it. The result does not enter the cache.
 * @throws NoResponse
 */
export function post<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { onProgress, signal }: PostOptions = {},
): Promise<Posted<Data>> {
  const request = new XMLHttpRequest();
  request.open('POST', addressOf('graphql'));
  request.setRequestHeader('accept', 'application/json');
  for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value);
  const abort = () => request.abort();
  signal?.addEventListener('abort', abort);
  const done = new Promise<Posted<Data>>((resolve, reject) => {
    request.onload = () => resolve(readResponse<Data>(request));
    request.onerror = request.onabort = request.ontimeout = () => reject(new NoResponse());
  }).finally(() => signal?.removeEventListener('abort', abort));
  if (onProgress) request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
  if (signal?.aborted) request.abort();
  else sendBody(request, stringifyDocument(document), variables);
  return signal?.aborted ? Promise.reject(new NoResponse()) : done;
}

function sendBody(request: XMLHttpRequest, query: string, given: unknown): void {
  const { variables, map, files } = multipartOf(given);
  const operations = JSON.stringify({ query, variables });
  if (files.length === 0) {
    request.setRequestHeader('content-type', 'application/json');
    request.send(operations);
    return;
  }
  const form = new FormData();
  form.append('operations', operations);
  form.append('map', JSON.stringify(map));
  for (const [index, file] of files.entries()) form.append(String(index), file);
  request.send(form);
}

interface Body<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

function readResponse<Data>(request: XMLHttpRequest): Posted<Data> {
  const { status } = request;
  if (status === 401) session.end();
  const body = parse<Body<Data>>(request.responseText);
  const wait = Number(request.getResponseHeader('retry-after') ?? Number.NaN);
  const errors = (body.errors ?? []).map(({ message, extensions }) => ({
    code: extensions?.code ?? 'INTERNAL',
    message,
  }));
  // A proxy before the server may refuse a request in its own words.
  if (errors.length === 0 && status >= 400)
    errors.push({ code: 'INTERNAL', message: `${status} ${request.statusText}`.trim() });
  return {
    status,
    retryAfterSeconds: Number.isFinite(wait) ? wait : null,
    data: body.data ?? null,
    errors,
  };
}

function parse<Value extends object>(text: string): Partial<Value> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<Value>;
  } catch {
    return {};
  }
}
