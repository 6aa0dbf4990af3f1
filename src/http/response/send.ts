import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../../errors.ts';
import { STYLE_SOURCE } from './page.ts';

/** Headers of every response that is not an image: not cached, not sniffed, not framed. */
const HEADERS = {
  'Cache-Control': 'no-store',
  Vary: 'Origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    ...HEADERS,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

export function sendError(
  response: ServerResponse,
  status: number,
  { code, message }: { code: ErrorCode; message: string },
  headers?: Record<string, string>,
): void {
  // JSON.stringify leaves out the message of an Error.
  sendJson(response, status, { error: { code, message } }, headers);
}

/** Sends a page. Without another policy it may have the style of `page()` and forms, and no scripts. */
export function sendHtml(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    ...HEADERS,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': `default-src 'none'; style-src ${STYLE_SOURCE}; form-action 'self'; base-uri 'self'; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
    ...headers,
  });
  response.end(body);
}
