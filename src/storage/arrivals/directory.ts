import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { NotFoundError } from '../../errors.ts';
import { flush } from '../spool/flush.ts';
import type { Spool } from '../spool/spool.ts';
import type { Arrivals, ExpectedArrival } from './arrivals.ts';

/** The place on this machine, to which our own server gives what is PUT to it. */
export interface DirectoryArrivals extends Arrivals {
  /** Takes over a spool's file; when it has resolved, the bytes survive the loss of power. The spool is still to be discarded. */
  keep(id: string, spool: Spool): Promise<void>;
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * A directory with a file for each arrival, on the file system of the spools, so that a file appears by a rename.
 * @param options.urlOf the address of our own server for an arrival, signed.
 */
export async function openDirectoryArrivals(options: {
  directory: string;
  urlOf: (arrival: ExpectedArrival) => string;
  /** Hears what the disk refused. */
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
        await flush(spool.path);
        await rename(spool.path, fileOf(id));
        // A rename alone may be forgotten when the power fails (rename(2), fsync(2)).
        await flush(directory);
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
