import type { MadeImageFragment } from '../../generated/graphql.ts';
import { makeSignal } from '../../state/signal.ts';

const signal = makeSignal<readonly MadeImageFragment[]>([]);

/** The images of this tab and those in the works, newest first. */
export const made = { get: signal.get, subscribe: signal.subscribe };

/** Whether an image is still in the works. */
export const isOpen = ({ status }: Pick<MadeImageFragment, 'status'>) =>
  status === 'PENDING' || status === 'PROCESSING';

/** Adds images at the front, and updates those that are listed. */
export function addMade(images: readonly MadeImageFragment[]): void {
  const listed = new Set(signal.get().map(({ uuid }) => uuid));
  updateMade(images);
  const added = images.filter(({ uuid }) => !listed.has(uuid));
  if (added.length > 0) signal.set([...added, ...signal.get()]);
}

/** Updates the images that are listed. */
export function updateMade(images: readonly MadeImageFragment[]): void {
  const changed = new Map(images.map((image) => [image.uuid, image]));
  if (!signal.get().some(({ uuid }) => changed.has(uuid))) return;
  signal.set(signal.get().map((image) => changed.get(image.uuid) ?? image));
}

/** Progress of a generation. */
export interface Progress {
  readonly isOpen: boolean;
  /** Number of the present or the next attempt. */
  readonly attempt: number;
  /** When the present state began, in milliseconds since 1970. */
  readonly since: number;
  /** Time of the next attempt; null: none is due. */
  readonly retryAt: number | null;
  /** Why the last attempt failed; null: it did not. */
  readonly problem: string | null;
  /** When it may begin at the earliest; null: now. */
  readonly scheduledFor: number | null;
}

/** Returns how far the generation of an image is. */
export function progressOf(image: MadeImageFragment, now: number): Progress {
  const last = image.attempts.at(-1);
  const hasFailed = last !== undefined && last.code !== null;
  const retryAt = hasFailed && last.retryAt ? Date.parse(last.retryAt) : null;
  const scheduled = image.scheduledFor === null ? null : Date.parse(image.scheduledFor);
  const isRunning = image.status === 'PROCESSING' && last !== undefined && !hasFailed;
  return {
    isOpen: isOpen(image),
    attempt: Math.max(1, image.attempts.length + (hasFailed ? 1 : 0)),
    since: Date.parse(isRunning ? last.startedAt : image.createdAt),
    retryAt: retryAt !== null && retryAt > now ? retryAt : null,
    problem: hasFailed ? last.message : null,
    scheduledFor:
      scheduled !== null && scheduled > now + 1000 && image.attempts.length === 0 ? scheduled : null,
  };
}
