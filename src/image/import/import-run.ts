import { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';
import { AlreadyImported } from './import-record.ts';

/** What became of one thing that was to be imported. */
export interface ImportResult {
  /** What names it to a person; of an address without its query, which holds signatures. */
  readonly subject: string;
  /** `skipped`: another run did it meanwhile, or it is not finished at its source. */
  readonly outcome: 'imported' | 'refused' | 'skipped' | 'planned';
  readonly image?: Image;
  readonly error?: FixativeError;
  readonly expiresAt?: Date | null;
}

export interface ImportOptions {
  /** How many are fetched at a time. */
  readonly concurrency: number;
  /** Only says what would be fetched, and asks no source. */
  readonly dryRun: boolean;
  /** Begins nothing more, and ends when what is under way is finished. */
  readonly signal?: AbortSignal | undefined;
  readonly onResult: (result: ImportResult) => void;
  /** How many there are to do, once that is known, and how many were done by earlier runs. */
  readonly onPlan?: (plan: { pending: number; known: number }) => void;
}

/**
 * Orders what is to be fetched: the soonest to expire first, then what does not say, and last what says that it has expired, which is
 * asked for all the same: its word is a hint only.
 */
export function compareUrgency(now: number) {
  const rank = (at: number | null) => (at === null ? 1 : at > now ? 0 : 2);
  return (a: { expiresAt: number | null }, b: { expiresAt: number | null }): number =>
    rank(a.expiresAt) - rank(b.expiresAt) || (a.expiresAt ?? 0) - (b.expiresAt ?? 0);
}

/**
 * Tells what is the matter with one thing from what stops the run: a disk that is full is full for all that follows.
 * @param work resolves to null for what is not finished at its source.
 */
export async function attempt(
  subject: string,
  work: () => Promise<Image | null>,
  onRefused: (error: FixativeError) => Promise<void>,
): Promise<ImportResult> {
  try {
    try {
      const image = await work();
      return image ? { subject, outcome: 'imported', image } : { subject, outcome: 'skipped' };
    } catch (error) {
      if (!(error instanceof FixativeError) || error.code === 'NO_SPACE') throw error;
      await onRefused(error);
      return { subject, outcome: 'refused', error };
    }
  } catch (error) {
    if (error instanceof AlreadyImported) return { subject, outcome: 'skipped' };
    throw error;
  }
}

/** Where an address leads, without what signs it. */
export function withoutQuery(address: string): string {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}` : address.replace(/\?.*/s, '').slice(0, 200);
}
