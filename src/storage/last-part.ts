import { Readable } from 'node:stream';

/**
 * A stream whose last part goes out only when `prove` is content with all of it. What does not come whole, its receiver sees to be cut short.
 * One that is not read to its end gives back what it has open, also when nobody has begun to read it.
 * @param options.see is shown each part as it comes.
 * @param options.prove throws where something is wrong.
 */
export function withLastPartHeld(
  stream: Readable,
  options: { see?: (part: Uint8Array) => void; prove: () => Promise<void> },
): Readable {
  async function* parts(): AsyncGenerator<Uint8Array> {
    let held: Uint8Array | null = null;
    for await (const part of stream as AsyncIterable<Uint8Array>) {
      if (held) yield held;
      options.see?.(part);
      held = part;
    }
    await options.prove();
    if (held) yield held;
  }
  const proving = Readable.from(parts(), { objectMode: false });
  proving.once('close', () => stream.destroy());
  return proving;
}
