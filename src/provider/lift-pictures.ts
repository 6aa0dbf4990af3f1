/** Of the base64 from which on a string of an answer is taken out of it; what is kept of a provider's words is less. */
const MIN_CHARACTERS = 128 * 1024;
/** What the SDK tells a picture's type by. */
const HEAD_CHARACTERS = 64;
/** A multiple of four, small enough for the young generation. */
const SLICE_CHARACTERS = 32 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PADDING = 0x3d;

export interface LiftedAnswer {
  /** The JSON, with a short string in the place of each picture. */
  readonly text: string;
  /** By the strings that stand for them, which are base64 and begin as the pictures do. */
  readonly pictures: ReadonlyMap<string, Buffer>;
}

/**
 * Takes the pictures out of an answer before it is read as JSON. A string of megabytes goes through the SDK some ten times (text, parser, a second
 * parser's checks, base64 to bytes and back to find the type), which costs more than all else about it; as bytes it is decoded once.
 * A picture is what is nothing but base64 in a long string; all other strings stay as they are.
 */
export function liftPictures(body: Buffer): LiftedAnswer {
  const pictures = new Map<string, Buffer>();
  const kept: Buffer[] = [];
  let keptTo = 0;
  for (let at = body.indexOf(QUOTE); at >= 0; ) {
    const start = at + 1;
    const end = endOfString(body, start);
    if (end < 0) break;
    const bytes = end - start < MIN_CHARACTERS ? null : decode(body, start, end);
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
  // As `Response.text` decodes: a byte order mark is not part of the text.
  return { text: new TextDecoder().decode(Buffer.concat(kept)), pictures };
}

/** Where the quote is that ends the string; -1 for a string that does not end. */
function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (body[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}

/** null: it is not base64 from its first character to its last. */
function decode(body: Buffer, start: number, end: number): Buffer | null {
  let last = end;
  while (end - last < 2 && body[last - 1] === PADDING) last--;
  const bytes = Buffer.allocUnsafeSlow(Math.floor(((last - start) * 3) / 4));
  let decoded = 0;
  // One string of all would be as large as the picture, beside V8's heap, and is what full collections are made for.
  for (let at = start; at < last; at += SLICE_CHARACTERS) {
    const slice = body.toString('latin1', at, Math.min(at + SLICE_CHARACTERS, last));
    const expected = Math.floor((slice.length * 3) / 4);
    // The decoder leaves out what it does not know.
    if (bytes.write(slice, decoded, 'base64') !== expected) return null;
    decoded += expected;
  }
  return bytes;
}
