import type { Exchange } from '../exchange.ts';
import { sendContinue } from './request-body.ts';

/**
 * Reads the body of a form (application/x-www-form-urlencoded).
 * @returns null if it is longer than `maxBytes`, or if the client has hung up.
 */
export async function readForm(
  { request, response }: Exchange,
  maxBytes: number,
): Promise<URLSearchParams | null> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return null;
  sendContinue(request, response);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
