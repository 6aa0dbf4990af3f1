import type { Response } from 'undici';
import { decodeText } from '../text.ts';

/** Returns `filename*`, else `filename` of Content-Disposition (RFC 6266), else the end of the path. */
export function filenameOf(response: Response, url: URL): string {
  const disposition = response.headers.get('content-disposition') ?? '';
  const [, charset = '', extended] = /filename\*\s*=\s*"?([\w-]+)'[\w-]*'([^;\s"]+)/i.exec(disposition) ?? [];
  if (extended !== undefined) return decodePercent(extended, charset);
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const name = plain?.[1]?.replaceAll(/\\(.)/g, '$1') ?? plain?.[2];
  return name === undefined
    ? decodePercent(url.pathname.split('/').at(-1) ?? '')
    : decodeText(bytesOfHeader(name));
}

/**
 * Escapes the bytes of a Location header that are not ASCII as `%XX`, as browsers do, whatever their
 * encoding.
 */
export function escapeBytes(location: string): string {
  return location.replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Returns the bytes of a header; fetch gives each as one character up to U+00FF. */
const bytesOfHeader = (text: string) => Buffer.from(text, 'latin1');

/** @param charset label of the WHATWG Encoding Standard that the header names. */
function decodePercent(text: string, charset = 'utf-8'): string {
  const characters = text.replaceAll(/%([\da-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const bytes = bytesOfHeader(characters);
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    // The label is unknown, or the bytes are not of this encoding.
    return decodeText(bytes);
  }
}
