import { asObject, type Call, isAddress, PLACEHOLDER, readObject } from './sdk-fetch.ts';

/**
 * Reads an answer of OpenAI's Images API, `{ data: [{ b64_json?, url?, revised_prompt? }] }`, in all ways in which those who speak it write the
 * one picture: as base64, as a `data:` URL in either field, as an address beside a `b64_json` that is absent, null or empty. What the SDK gets
 * has base64 always; an address is kept for the guarded fetcher. The revised prompt is kept too, which some of the SDK's models drop.
 */
export function lookAtImages(text: string, call: Call): string {
  const body = readObject(text);
  const first = asObject(Array.isArray(body?.data) ? body.data[0] : null);
  if (!first) return text;
  if (typeof first.revised_prompt === 'string' && first.revised_prompt !== '')
    call.revisedPrompt = first.revised_prompt;
  const base64 = base64Of(first.b64_json) ?? dataOf(first.url);
  if (base64 === null && !isAddress(first.url)) return text;
  if (base64 === null) call.address = String(first.url);
  const { url: _, ...rest } = first;
  return JSON.stringify({ ...body, data: [{ ...rest, b64_json: base64 ?? PLACEHOLDER }] });
}

function base64Of(value: unknown): string | null {
  if (typeof value !== 'string' || value.trim() === '') return null;
  return dataOf(value) ?? value;
}

/** The base64 of a `data:` URL, RFC 2397. */
function dataOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return /^data:image\/[\w.+-]+(?:;[\w-]+=[\w.+-]+)*;base64,(.+)$/is.exec(value)?.[1] ?? null;
}
