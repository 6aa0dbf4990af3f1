/** Asks the server why an image did not load: an `<img>` does not tell its status. */
import { retryAfter } from './back-off.ts';

export interface Probed {
  /** HTTP status; null: no response, or one that this page may not read. */
  readonly status: number | null;
  /** Milliseconds that the server asked to wait; null: it did not. */
  readonly wait: number | null;
}

const UNKNOWN: Probed = { status: null, wait: null };
/** Statuses of servers that do not know HEAD. */
const NO_HEAD = new Set([405, 501]);

/** Requests the headers of an address. Never rejects. */
export async function probe(
  address: string,
  { crossOrigin, signal }: { crossOrigin: string | null; signal: AbortSignal },
): Promise<Probed> {
  if (!/^https?:/.test(address)) return UNKNOWN;
  const ask = async (method: 'HEAD' | 'GET') => {
    const response = await fetch(address, {
      method,
      signal,
      cache: 'no-store',
      credentials: crossOrigin === 'use-credentials' ? 'include' : 'same-origin',
    });
    await response.body?.cancel();
    return response;
  };
  try {
    const head = await ask('HEAD');
    const { status, headers } = NO_HEAD.has(head.status) ? await ask('GET') : head;
    return { status, wait: retryAfter(headers.get('retry-after'), Date.now()) };
  } catch {
    return UNKNOWN;
  }
}
