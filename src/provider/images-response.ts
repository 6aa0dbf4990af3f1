import { asObject, isHttpUrl, PLACEHOLDER_BASE64, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

/**
 * Reads a response of OpenAI's Images API, `{ data: [{ b64_json?, url?, revised_prompt? }] }`. Servers of
 * this API write the picture in three ways: as base64, as a `data:` URL in either field, or as a URL beside a
 * `b64_json` that is absent, null or empty. The SDK always gets base64. The revised prompt is noted in
 * `call`, because some of the SDK's models drop it.
 */
export function readImagesResponse(text: string, call: SdkCall): string {
  const body = parseJsonObject(text);
  const first = asObject(Array.isArray(body?.data) ? body.data[0] : null);
  if (!first) return text;
  if (typeof first.revised_prompt === 'string' && first.revised_prompt !== '')
    call.revisedPrompt = first.revised_prompt;
  const base64 = base64Of(first.b64_json) ?? base64OfDataUrl(first.url);
  if (base64 === null && !isHttpUrl(first.url)) return text;
  if (base64 === null) call.pictureUrl = String(first.url);
  const { url: _, ...rest } = first;
  return JSON.stringify({ ...body, data: [{ ...rest, b64_json: base64 ?? PLACEHOLDER_BASE64 }] });
}

function base64Of(value: unknown): string | null {
  if (typeof value !== 'string' || value.trim() === '') return null;
  return base64OfDataUrl(value) ?? value;
}

/** Returns the base64 of a `data:` URL (RFC 2397) of an image; null for any other value. */
function base64OfDataUrl(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return /^data:image\/[\w.+-]+(?:;[\w-]+=[\w.+-]+)*;base64,(.+)$/is.exec(value)?.[1] ?? null;
}
