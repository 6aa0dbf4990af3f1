/** Numbers of a run, at the time when the browser received them. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly checked: number;
  readonly bytes: number;
}

/** Seconds over which the rate is measured. */
const WINDOW_SECONDS = 20;
/** Least seconds between two samples that give a rate. */
const LEAST_SECONDS = 2;

/** Adds a sample, and discards old ones. The newest old one stays, as the start of the window. */
export function addSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1);
  // A run that begins its second part, or another run.
  if (last && sample.checked < last.checked) return [sample];
  const oldest = sample.time - WINDOW_SECONDS * 1000;
  const recent = samples.findIndex(({ time }) => time >= oldest);
  const kept = recent === -1 ? samples.slice(-1) : samples.slice(Math.max(0, recent - 1));
  return [...kept, sample];
}

export interface Rate {
  /** Copies or images per second. */
  readonly checked: number;
  readonly bytes: number;
}

/** Returns the present rate; null: too little is known. */
export function rateOf(samples: readonly Sample[]): Rate | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) return null;
  const seconds = (last.time - first.time) / 1000;
  if (seconds < LEAST_SECONDS) return null;
  return { checked: (last.checked - first.checked) / seconds, bytes: (last.bytes - first.bytes) / seconds };
}

/** Returns the seconds that are left at a rate; null: they are not known. */
export function secondsLeft(rate: Rate | null, checked: number, total: number | null): number | null {
  if (rate === null || total === null || rate.checked <= 0) return null;
  return Math.max(0, total - checked) / rate.checked;
}

/** Returns the share of a run that is done, 0 to 1; null: its size is not known. */
export function shareOf(checked: number, total: number | null): number | null {
  if (total === null) return null;
  return total === 0 ? 1 : Math.min(1, checked / total);
}
