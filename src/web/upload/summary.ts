import { isOpen, type Queue, type UploadState } from './queue.ts';

export interface Summary extends Readonly<Record<UploadState, number>> {
  readonly total: number;
  /** Items that wait or are being sent. */
  readonly open: number;
  /** Share of the work that is done, from 0 to 1. An address counts as one small file. */
  readonly share: number;
  /** Bytes of files that were sent, of all that will be. */
  readonly sentBytes: number;
  readonly totalBytes: number;
}

/** Weight of an address, whose size is unknown, in bytes. */
const ADDRESS_BYTES = 500_000;

const NONE = { waiting: 0, sending: 0, stored: 0, existing: 0, refused: 0, failed: 0, cancelled: 0 };

/** Returns the counts of a queue, and how much of it is done. */
export function summarise({ items }: Queue): Summary {
  const counts = { ...NONE };
  let [open, done, weight, sentBytes, totalBytes] = [0, 0, 0, 0, 0];
  for (const item of items) {
    counts[item.state] += 1;
    if (item.state === 'refused' || item.state === 'cancelled') continue;
    const size = item.bytes ?? ADDRESS_BYTES;
    const sent = isOpen(item) ? item.sent : size;
    if (isOpen(item)) open += 1;
    weight += size;
    done += Math.min(sent, size);
    totalBytes += item.bytes ?? 0;
    sentBytes += item.bytes === null ? 0 : Math.min(sent, item.bytes);
  }
  return {
    ...counts,
    total: items.length,
    open,
    share: weight === 0 ? 1 : done / weight,
    sentBytes,
    totalBytes,
  };
}

/** Shares of a queue at which screen readers are told. */
const MILESTONES = [0.25, 0.5, 0.75];

/**
 * Returns the last milestone that a queue has passed, from 0 to 1, by finished items. 1 means that nothing is
 * open. A queue of few items has no milestone but its end.
 */
export function milestoneOf({ total, open }: Summary): number {
  if (open === 0) return 1;
  if (total < 8) return 0;
  return MILESTONES.findLast((share) => (total - open) / total >= share) ?? 0;
}
