import { Readable } from 'node:stream';

/**
 * Returns a stream that holds back the last part until `prove` accepts the whole. If the source fails or
 * `prove` throws, the receiver sees a stream that was cut short. Destroying the stream closes the source,
 * even before the first read.
 * @param options.see is called with each part as it arrives.
 * @param options.prove throws if the parts are not right.
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

/**
 * @param close is called when the stream is destroyed; it must end what the generator waits for, so that the
 *   generator can end.
 */
export function streamOf(parts: AsyncGenerator<Uint8Array>, close: () => void): Readable {
  const stream = Readable.from(parts, { objectMode: false });
  const destroy = stream._destroy.bind(stream);
  stream._destroy = (error, done) => {
    close();
    destroy(error, done);
  };
  return stream;
}
