/** Result of one task: null when it succeeded, else why it failed. */
export interface Outcome<Task> {
  readonly task: Task;
  readonly fault: string | null;
}

interface QueueOptions<Task> {
  /** Runs one task. Returns null, or why it failed. */
  readonly run: (task: Task) => Promise<string | null>;
  readonly concurrency: number;
  /** Receives the number of finished tasks after each. */
  readonly onProgress?: (done: number) => void;
  /** Stops tasks that have not begun; they have no outcome. */
  readonly signal?: AbortSignal;
}

/** Runs tasks, a few at a time. Returns an outcome for each task that ran, in the order of the tasks. */
export async function runQueue<Task>(
  tasks: readonly Task[],
  { run, concurrency, onProgress, signal }: QueueOptions<Task>,
): Promise<Outcome<Task>[]> {
  const outcomes = new Map<number, Outcome<Task>>();
  let next = 0;
  const work = async () => {
    while (next < tasks.length && !signal?.aborted) {
      const index = next++;
      const task = tasks[index] as Task;
      const fault = await run(task).catch((error: unknown) => String((error as Error)?.message ?? error));
      outcomes.set(index, { task, fault });
      onProgress?.(outcomes.size);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, work));
  return [...outcomes].sort(([a], [b]) => a - b).map(([, outcome]) => outcome);
}
