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
  return streamOf(parts(), () => stream.destroy());
}

/** @param close ends what the parts are waiting for, when the stream is destroyed: only then can they come to their own end. */
export function streamOf(parts: AsyncGenerator<Uint8Array>, close: () => void): Readable {
  const stream = Readable.from(parts, { objectMode: false });
  const destroy = stream._destroy.bind(stream);
  stream._destroy = (error, done) => {
    close();
    destroy(error, done);
  };
  return stream;
}
