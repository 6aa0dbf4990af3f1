import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** A file in quarantine, from the manifest of its day (orphans.ts). */
export interface QuarantinedFile {
  readonly store: string;
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly quarantinedAt: Date;
  /** Time from which on the next `restore --all` deletes it. */
  readonly deletedAfter: Date;
}

const DAY_MS = 86_400_000;
/** Longest end of a manifest that is read: some 3,000 lines. */
const MAX_READ_BYTES = 1024 * 1024;

const LINE = z.object({
  store: z.string(),
  key: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  quarantinedAt: z.coerce.date(),
  file: z.string(),
});

/**
 * Lists files in quarantine, newest first. Leaves out files that are no longer there. Of each day, the last
 * 1 MiB of the manifest is read.
 * @param days QUARANTINE_DAYS.
 */
export async function findQuarantined(
  directory: string,
  days: number,
  first: number,
): Promise<QuarantinedFile[]> {
  const found = new Map<string, QuarantinedFile>();
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter(isDay).sort().reverse()) {
    const deletedAfter = deletionTimeOf(name, days);
    const lines = await readEnd(path.join(directory, name, 'manifest.ndjson'));
    for (const text of lines.reverse()) {
      if (found.size >= first) return [...found.values()];
      const line = parseLine(text);
      // An object that was quarantined twice on one day is one file.
      if (!line || found.has(line.file) || !(await isThere(directory, line.file))) continue;
      const { file, ...facts } = line;
      found.set(file, { ...facts, deletedAfter });
    }
  }
  return [...found.values()];
}

/** Returns whether a name in the quarantine is that of a day: `2026-11-30`. */
export const isDay = (name: string) => /^\d{4}-\d{2}-\d{2}$/.test(name) && !Number.isNaN(Date.parse(name));

/** Returns the time after which the files of a day are deleted. */
export const deletionTimeOf = (day: string, days: number) => new Date(Date.parse(day) + (days + 1) * DAY_MS);

/** Returns the last lines of a file, oldest first; none if it does not exist. */
async function readEnd(file: string): Promise<string[]> {
  const handle = await open(file).catch(() => null);
  if (!handle) return [];
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - MAX_READ_BYTES);
    const buffer = Buffer.alloc(size - start);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    // The first one is cut.
    return start > 0 ? lines.slice(1) : lines;
  } finally {
    await handle.close();
  }
}

function parseLine(text: string): z.infer<typeof LINE> | null {
  if (text === '') return null;
  try {
    return LINE.parse(JSON.parse(text));
  } catch {
    // A crash may have cut the line.
    return null;
  }
}

const isThere = (directory: string, file: string) =>
  stat(path.join(directory, file)).then(
    (found) => found.isFile(),
    () => false,
  );
