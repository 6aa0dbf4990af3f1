import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { NotFoundError } from '../../errors.ts';
import { flushToDisk } from '../files/flush.ts';
import type { Spool } from '../spool/spool.ts';
import type { Arrivals, ExpectedArrival } from './arrivals.ts';

/** Arrivals on this machine: the server receives the PUT itself. */
export interface DirectoryArrivals extends Arrivals {
  /**
   * Takes over the file of a spool. After it has resolved, the bytes survive a loss of power. The caller
   * still discards the spool.
   */
  keep(id: string, spool: Spool): Promise<void>;
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Opens a directory with one file for each arrival. It must be on the file system of the spools, because
 * files are renamed into it.
 * @param options.urlOf returns the signed URL of this server for an arrival.
 */
export async function openDirectoryArrivals(options: {
  directory: string;
  urlOf: (arrival: ExpectedArrival) => string;
  /** Called with each error of the disk. */
  onDiskFault: (error: unknown) => void;
}): Promise<DirectoryArrivals> {
  const { directory, urlOf } = options;
  await mkdir(directory, { recursive: true });

  function fileOf(id: string): string {
    if (!ID.test(id)) throw new TypeError(`Not the id of an arrival: ${JSON.stringify(id)}`);
    return path.join(directory, id);
  }

  return {
    kind: 'server',
    address: async (arrival) => ({ url: urlOf(arrival), headers: { 'Content-Type': arrival.mimeType } }),

    async keep(id, spool) {
      try {
        await flushToDisk(spool.path);
        await rename(spool.path, fileOf(id));
        // A rename alone can be lost with the power (rename(2), fsync(2)).
        await flushToDisk(directory);
      } catch (error) {
        options.onDiskFault(error);
        throw diskErrorOf('The server', error) ?? error;
      }
    },

    async open(id) {
      try {
        return (await open(fileOf(id), 'r')).createReadStream();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        throw new NotFoundError(`Nothing has arrived for ${id}.`);
      }
    },

    async remove(id) {
      await rm(fileOf(id), { force: true });
    },

    async *list() {
      for (const id of await readdir(directory)) {
        const found = ID.test(id) && (await stat(path.join(directory, id)).catch(() => null));
        if (found) yield { id, arrivedAt: found.mtime };
      }
    },
  };
}
