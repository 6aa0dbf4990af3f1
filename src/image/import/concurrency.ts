/**
 * Calls `work` for each item, with `count` calls under way at a time, in about the order of the items. After
 * `signal` no call is begun, and those under way are finished. The first error of `items` or `work` has the
 * same effect, and is then thrown.
 */
export async function forEachConcurrently<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  work: (item: Item) => Promise<void>,
  options: { count: number; signal?: AbortSignal | undefined },
): Promise<void> {
  let failed = false;
  // A generator serves one call of `next` at a time, so the workers can share it.
  const source = (async function* () {
    yield* items;
  })();
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
