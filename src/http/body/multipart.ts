import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { processRequest, Upload } from 'graphql-upload-minimal';
import type { GraphQLParams } from 'graphql-yoga';
import { InputError, TooLargeError } from '../../errors.ts';
import type { ReceivedFile } from '../../image/upload/upload.ts';
import type { Spooler } from '../../storage/spool/spool.ts';
import { badRequest } from './bad-request.ts';
import { limitMultipart } from './multipart-limits.ts';

/**
 * The files of one request, by the GraphQL multipart request specification. Each file is spooled as it
 * arrives, even before a resolver asks for it. Files come one after the other, so a resolver that waits for
 * the second would otherwise wait forever while the first is not read. The promise of an Upload gives the
 * resolver the spooled file.
 */
export interface Uploads {
  /**
   * Returns the operation, with an Upload wherever the map puts a file.
   * @throws GraphQLError with an HTTP status.
   */
  receive(req: IncomingMessage, res: ServerResponse): Promise<GraphQLParams>;
  /** Keeps the spools until the returned function is called. The last such call discards them. */
  hold(): () => void;
}

export function openUploads(
  spooler: Spooler,
  limits: { readonly maxBodyBytes: number; readonly maxUploadFiles: number },
): Uploads {
  const received: Promise<ReceivedFile>[] = [];
  const unwanted = new AbortController();
  let holders = 0;

  function discard(): void {
    // Files that have not arrived are given up: a request that is answered is not read any further.
    unwanted.abort();
    for (const file of received) file.then(({ spool }) => spool.discard()).catch(() => {});
  }

  function spoolUpload(upload: Upload, all: readonly Upload[]): Promise<ReceivedFile> {
    const arrived = upload.promise.catch((cause: Error) => {
      if (cause instanceof InputError) throw cause;
      const message = /^File missing/.test(cause.message)
        ? 'The form has no part with this file. Send a part with the name that "map" gives it.'
        : cause.message;
      throw new InputError('BAD_REQUEST', message, { cause });
    });
    return arrived.then(async (file) => {
      const filename = file.filename || '';
      try {
        const spool = await spooler.receive(streamOf(file), {
          signal: unwanted.signal,
          subject: filename === '' ? 'The file' : JSON.stringify(filename.slice(0, 100)),
        });
        return { spool, filename };
      } catch (error) {
        // The rest of a file that is too large is not read, and neither are the files after it.
        const why =
          error instanceof TooLargeError
            ? new InputError(
                'UPLOAD_INTERRUPTED',
                'The file was not read, because a file before it is too large.',
              )
            : error;
        for (const other of all)
          if (!other.file) (other as unknown as { reject(error: unknown): void }).reject(why);
        throw error;
      }
    });
  }

  async function parseForm(req: IncomingMessage, res: ServerResponse) {
    limitMultipart(req, limits);
    return processRequest(req, res, {
      maxFieldSize: limits.maxBodyBytes,
      maxFiles: limits.maxUploadFiles,
    });
  }

  return {
    async receive(req, res) {
      const operation = await parseForm(req, res).catch((error: Error) => {
        // limitMultipart checks sizes and counts, and not the library.
        const isTooLarge = error instanceof InputError && error.code === 'TOO_LARGE';
        throw badRequest(isTooLarge ? 413 : 400, error.message);
      });
      if (Array.isArray(operation))
        throw badRequest(400, 'Several operations in one request are not supported.');
      const uploads = findUploads(operation);
      for (const upload of uploads) {
        const file = spoolUpload(upload, uploads);
        file.catch(() => {});
        received.push(file);
        (upload as { promise: unknown }).promise = file;
      }
      return operation as GraphQLParams;
    },
    hold() {
      holders++;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        holders--;
        if (holders === 0) discard();
      };
    },
  };
}

/** Opens the stream of a file. The library throws here if the body has failed since the file began. */
function streamOf(file: { createReadStream(): Readable }): Readable {
  try {
    return file.createReadStream();
  } catch (error) {
    if (error instanceof InputError) throw error;
    const message = `The upload of the file was interrupted: ${(error as Error).message}. Send it again.`;
    throw new InputError('UPLOAD_INTERRUPTED', message, { cause: error, retryable: true });
  }
}

/** Returns every Upload in an operation. Iterative, because the client decides how deep the operation is. */
function findUploads(operation: unknown): Upload[] {
  const found = new Set<Upload>();
  const left: unknown[] = [operation];
  while (left.length > 0) {
    const value = left.pop();
    if (value instanceof Upload) found.add(value);
    else if (typeof value === 'object' && value !== null)
      for (const each of Object.values(value)) left.push(each);
  }
  return [...found];
}
