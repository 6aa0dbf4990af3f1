import { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';
import { AlreadyImported } from './import-record.ts';

/** Result of one item to import. */
export interface ImportResult {
  /** Name for people. An address is without its query, which holds signatures. */
  readonly subject: string;
  /** `skipped`: another run has imported it, or its source has not finished it. */
  readonly outcome: 'imported' | 'refused' | 'skipped' | 'planned';
  readonly image?: Image;
  readonly error?: FixativeError;
  readonly expiresAt?: Date | null;
}

export interface ImportOptions {
  /** Items to fetch at a time. */
  readonly concurrency: number;
  /** Reports what would be fetched, without a request to any source. */
  readonly dryRun: boolean;
  /** Ends the run: no item is begun, and those under way are finished. */
  readonly signal?: AbortSignal | undefined;
  readonly onResult: (result: ImportResult) => void;
  /** Gets the number of items to do, and of those that earlier runs have done. */
  readonly onPlan?: (plan: { pending: number; known: number }) => void;
}

/**
 * Compares items for the order of fetching: those that expire soonest, then those without an expiry, then
 * those that have expired. The last are fetched too, because an expiry is only a hint.
 */
export function compareUrgency(now: number) {
  const rank = (at: number | null) => (at === null ? 1 : at > now ? 0 : 2);
  return (a: { expiresAt: number | null }, b: { expiresAt: number | null }): number =>
    rank(a.expiresAt) - rank(b.expiresAt) || (a.expiresAt ?? 0) - (b.expiresAt ?? 0);
}

/**
 * Imports one item. Errors of the item become its result.
 * @param work resolves to null when the source has not finished the item.
 * @throws errors that would repeat with every item, such as a full disk.
 */
export async function importItem(
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

/** Returns an address without its query, which may hold a signature. */
export function withoutQuery(address: string): string {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}` : address.replace(/\?.*/s, '').slice(0, 200);
}
