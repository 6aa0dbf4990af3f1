/** Shortest base64 string that is taken out. Other texts of a response are shorter. */
const MIN_CHARACTERS = 128 * 1024;
/** Beginning of a picture that stays in the text, because the SDK detects the picture's type by it. */
const HEAD_CHARACTERS = 64;
/** Characters that are decoded at once: a multiple of four, and small enough for V8's young generation. */
const SLICE_CHARACTERS = 32 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PADDING = 0x3d;

export interface LiftedResponse {
  /** The JSON, with a short string instead of each picture. */
  readonly text: string;
  /** Pictures by the strings that replace them. Such a string is base64 and begins like its picture. */
  readonly pictures: ReadonlyMap<string, Buffer>;
}

/**
 * Takes the pictures out of a response before it is parsed as JSON. A picture is a long string of nothing but
 * base64. All other strings stay unchanged.
 *
 * The SDK would handle such a string about ten times: as text, in two parsers, and from base64 to bytes and
 * back to detect its type. That costs more than the rest of the call. Here it is decoded once, from the
 * bytes.
 */
export function liftPictures(body: Buffer): LiftedResponse {
  const pictures = new Map<string, Buffer>();
  const kept: Buffer[] = [];
  let keptTo = 0;
  for (let at = body.indexOf(QUOTE); at >= 0; ) {
    const start = at + 1;
    const end = endOfString(body, start);
    if (end < 0) break;
    const bytes = end - start < MIN_CHARACTERS ? null : decodeBase64(body, start, end);
    if (bytes) {
      const head = body.toString('latin1', start, start + HEAD_CHARACTERS);
      const name = head + Buffer.from(`picture ${pictures.size}`).toString('base64');
      pictures.set(name, bytes);
      kept.push(body.subarray(keptTo, start), Buffer.from(name));
      keptTo = end;
    }
    at = body.indexOf(QUOTE, end + 1);
  }
  kept.push(body.subarray(keptTo));
  // Drops a byte order mark, as `Response.text` does.
  return { text: new TextDecoder().decode(Buffer.concat(kept)), pictures };
}

/** Returns the index of the quote that ends the string; -1 when the string does not end. */
function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (body[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}

/** Decodes a string; null when it is not base64 from its first character to its last. */
function decodeBase64(body: Buffer, start: number, end: number): Buffer | null {
  let last = end;
  while (end - last < 2 && body[last - 1] === PADDING) last--;
  const bytes = Buffer.allocUnsafeSlow(Math.floor(((last - start) * 3) / 4));
  let decoded = 0;
  // One string of the whole picture would lie outside of V8's young generation and cause full garbage
  // collections.
  for (let at = start; at < last; at += SLICE_CHARACTERS) {
    const slice = body.toString('latin1', at, Math.min(at + SLICE_CHARACTERS, last));
    const expected = Math.floor((slice.length * 3) / 4);
    // Node's decoder skips characters that are not base64, so fewer bytes mean that the string is not base64.
    if (bytes.write(slice, decoded, 'base64') !== expected) return null;
    decoded += expected;
  }
  return bytes;
}
