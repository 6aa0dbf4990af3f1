/**
 * Does `work` for each of `things`, `count` of them at a time, in about their order. After `signal` nothing more is begun and
 * what is under way is finished. The first error of `things` or `work` ends it in the same way, and is thrown then.
 */
export async function runWorkers<Thing>(
  things: AsyncIterable<Thing> | Iterable<Thing>,
  work: (thing: Thing) => Promise<void>,
  options: { count: number; signal?: AbortSignal | undefined },
): Promise<void> {
  let failed = false;
  const source = (async function* () {
    yield* things;
  })();
  // A generator answers one call at a time, so that the workers may share it.
  const worker = async () => {
    while (!failed && !options.signal?.aborted) {
      const { value, done } = await source.next();
      if (done || failed || options.signal?.aborted) return;
      await work(value);
    }
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: options.count }, () =>
      worker().catch((error) => {
        failed = true;
        throw error;
      }),
    ),
  );
  await source.return(undefined);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
