/** The state of one image between its address and its end: shared by loading and renewal. */

import type { RobustImageLogEntry, RobustImageState } from './declarations/robust-image.d.ts';
import { type Settings, type Source, tell } from './settings.ts';

export interface Care {
  readonly image: HTMLImageElement;
  /** Aborts when the address changes or the image leaves the page. */
  readonly signal: AbortSignal;
  settings: Settings;
  source: Source;
  state: RobustImageState;
  /** Attempts that were begun. */
  attempt: number;
  /** Time of the first attempt, in milliseconds of `performance.now`. */
  readonly started: number;
  /** Renewal in progress; resolves to whether it gave a new address. */
  renewing: Promise<boolean> | null;
  /** Renewals of the address, one after another, while `renew` is given. */
  renewal: Promise<void> | null;
  /** Shows the state, and tells it. */
  enter(state: RobustImageState): void;
}

export const millisecondsOf = ({ started }: Care): number => Math.round(performance.now() - started);

export function log(
  { settings, source, attempt }: Care,
  event: RobustImageLogEntry['event'],
  more: Partial<RobustImageLogEntry> = {},
): void {
  tell(settings.log, { event, address: source.src, attempt, ...more });
}
