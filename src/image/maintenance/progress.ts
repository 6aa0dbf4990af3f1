import type { Logger } from 'pino';
import type { Queryable } from '../../database/database.ts';
import type { BadCopy } from '../../storage/repair/verify.ts';
import type { VerifyProgress } from '../../storage/service.ts';
import type { RestoreOutcome } from './restore-many.ts';
import { MAX_PROBLEMS, type MaintenanceCounts, type MaintenanceProblem, type MaintenanceRun } from './run.ts';

/** Longest message of a problem, in characters. */
const MAX_MESSAGE = 500;

const WRITE = `UPDATE maintenance_runs SET heartbeat_at = now(), total = $2, checked = $3, healthy = $4, missing = $5,
  corrupt = $6, unreachable = $7, restored = $8, failed = $9, bytes = $10, changed = $11, skipped = $12,
  problems = coalesce($13::text::json, problems)
  WHERE id = $1 AND state = 'RUNNING' RETURNING cancel_requested_at IS NOT NULL AS "isCancelled"`;

type Counts = { -readonly [Name in keyof MaintenanceCounts]: MaintenanceCounts[Name] };

/** Counts and problems of a run, while this process executes it. */
export class Progress {
  readonly #counts: Counts;
  readonly #problems: MaintenanceProblem[];
  #writtenProblems: number;

  /** @param run begins with its counts and problems, which a run has that continues. */
  constructor(run: MaintenanceRun) {
    const { total, checked, healthy, missing, corrupt, unreachable, restored, failed } = run;
    const { changed, skipped, bytes } = run;
    const found = { checked, healthy, missing, corrupt, unreachable, restored, failed };
    this.#counts = { total, ...found, changed, skipped, bytes };
    this.#problems = [...run.problems];
    this.#writtenProblems = this.#problems.length;
  }

  /** Replaces counts, for a kind whose own rows are the truth about them. */
  set(counts: Partial<MaintenanceCounts>): void {
    Object.assign(this.#counts, counts);
  }

  /** Notes how many copies and images there are to check, beside those of before. */
  expect(more: number): void {
    this.#counts.total = (this.#counts.total ?? 0) + more;
  }

  /** Notes the progress of a verify. @param most most copies that the run checks. */
  verified({ copies, of, bytes, stores }: VerifyProgress, most = of): void {
    const counts = this.#counts;
    Object.assign(counts, { total: Math.min(of, most), checked: copies, bytes });
    Object.assign(counts, { healthy: 0, missing: 0, corrupt: 0, unreachable: 0 });
    for (const { right, missing, corrupt, unreachable } of stores) {
      counts.healthy += right;
      counts.missing += missing;
      counts.corrupt += corrupt;
      counts.unreachable += unreachable;
    }
  }

  foundBad({ sha256, store, state, error }: BadCopy): void {
    this.#add({ sha256, store, state, message: error });
  }

  restored({ sha256, subject, restored, failed }: RestoreOutcome): void {
    const counts = this.#counts;
    counts.checked++;
    // A count may be an estimate, and images may arrive during the run.
    counts.total = Math.max(counts.total ?? 0, counts.checked);
    if (restored.length === 0 && failed.length === 0) counts.healthy++;
    counts.restored += restored.length;
    counts.failed += failed.length;
    for (const { bytes } of restored) counts.bytes += bytes;
    for (const error of failed) {
      const store = 'store' in error && typeof error.store === 'string' ? error.store : null;
      const state = error.code === 'BYTES_LOST' ? 'LOST' : 'FAILED';
      this.#add({ sha256, store, state, message: `${subject}: ${error.message}` });
    }
  }

  /** Writes the progress and a heartbeat. @returns null: the run is not this process's any more. */
  async write(db: Queryable, id: string): Promise<{ isCancelled: boolean } | null> {
    const { total, checked, healthy, missing, corrupt, unreachable, restored, failed } = this.#counts;
    const { bytes, changed, skipped } = this.#counts;
    const count = this.#problems.length;
    const problems = count > this.#writtenProblems ? JSON.stringify(this.#problems) : null;
    const [row] = await db.query<{ isCancelled: boolean }>(WRITE, [
      id,
      total,
      checked,
      healthy,
      missing,
      corrupt,
      unreachable,
      restored,
      failed,
      bytes,
      changed,
      skipped,
      problems,
    ]);
    this.#writtenProblems = count;
    return row ?? null;
  }

  #add(problem: MaintenanceProblem): void {
    if (this.#problems.length >= MAX_PROBLEMS) return;
    // Neither NUL nor half a character can be stored.
    const message = problem.message.slice(0, MAX_MESSAGE).replaceAll('\0', '').toWellFormed();
    this.#problems.push({ ...problem, message });
  }
}

const WRITE_EVERY_MS = 1000;

/**
 * Writes the progress of a run each second.
 * @param onCancel called once when the run is to be cancelled.
 * @param onTaken called once when the run is not this process's any more: it was taken for dead.
 * @returns a function that ends the writing.
 */
export function keepWriting(
  deps: { readonly database: Queryable; readonly log: Logger },
  id: string,
  progress: Progress,
  { onCancel, onTaken }: { onCancel: () => void; onTaken: () => void },
): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let hasEnded = false;

  async function write(): Promise<void> {
    try {
      const row = await progress.write(deps.database, id);
      if (row === null) return onTaken();
      if (row.isCancelled) onCancel();
    } catch (error) {
      // The next write tries again. After a minute without one, the run counts as interrupted.
      deps.log.debug({ err: error, run: id }, 'could not write the progress of a run');
    }
    schedule();
  }

  function schedule(): void {
    if (hasEnded) return;
    timer = setTimeout(() => {
      writing = write();
    }, WRITE_EVERY_MS);
  }

  schedule();
  return async () => {
    hasEnded = true;
    clearTimeout(timer);
    await writing;
  };
}
