/** Result of one task: null when it succeeded, else why it failed. */
export interface Outcome<Task> {
  readonly task: Task;
  readonly fault: string | null;
}

interface QueueOptions<Task> {
  /** Runs some tasks. Returns for each, in their order, null or why it failed. */
  readonly run: (batch: readonly Task[]) => Promise<readonly (string | null)[]>;
  /** Most tasks of a batch. */
  readonly size: number;
  /** Batches at once. */
  readonly concurrency: number;
  /** Receives the number of finished tasks after each batch. */
  readonly onProgress?: (done: number) => void;
  /** Stops tasks that have not begun; they have no outcome. */
  readonly signal?: AbortSignal;
}

/** Runs tasks in batches. Returns an outcome for each task that ran, in the order of the tasks. */
export async function runQueue<Task>(
  tasks: readonly Task[],
  { run, size, concurrency, onProgress, signal }: QueueOptions<Task>,
): Promise<Outcome<Task>[]> {
  const outcomes = new Map<number, Outcome<Task>>();
  let next = 0;
  const work = async () => {
    while (next < tasks.length && !signal?.aborted) {
      const first = next;
      next += size;
      const batch = tasks.slice(first, next);
      const faults = await run(batch).catch((error: unknown) =>
        batch.map(() => String((error as Error)?.message ?? error)),
      );
      for (const [index, task] of batch.entries())
        outcomes.set(first + index, { task, fault: faults[index] ?? null });
      onProgress?.(outcomes.size);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, work));
  return [...outcomes].sort(([a], [b]) => a - b).map(([, outcome]) => outcome);
}
