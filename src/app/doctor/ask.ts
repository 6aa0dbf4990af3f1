/** Start of a response. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** First bytes of the body, as text. */
  readonly text: string;
}

const MAX_BYTES = 64 * 1024;

/**
 * Sends a request without following redirects, because a key must not reach another host. Reads at most 64
 * KiB of the response.
 */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { ...init, redirect: 'manual' });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_BYTES) break;
  }
  const { status, headers } = response;
  return { status, headers, text: Buffer.concat(chunks).toString('utf8', 0, MAX_BYTES) };
}
