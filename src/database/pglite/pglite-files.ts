import path from 'node:path';
import type { Extension } from '@electric-sql/pglite';
import { diskFaultOf } from './disk-fault.ts';

/**
 * Members that are used of Emscripten's file system
 * (https://emscripten.org/docs/api_reference/Filesystem-API.html).
 */
export interface NodeFiles {
  readonly stream_ops: {
    write(stream: FileStream, ...rest: unknown[]): number;
    fsync?: (stream: FileStream) => number;
  };
  /** Runs a call of the file system, and converts Node's errors to those of WebAssembly. */
  tryFSOperation<Result>(operation: () => Result): Result;
  realPath(node: object): string;
}

interface FileStream {
  readonly nfd?: number;
  readonly node: object;
}

/** Members that are used of PGlite's module. */
interface Module {
  readonly FS: { readonly filesystems: { readonly NODEFS?: NodeFiles } };
  _PostgresMainLoopOnce(): void;
}

/**
 * Exit status after a failed statement; PostgreSQL goes on. Anything else that it throws means that it has
 * ended.
 */
const STATEMENT_FAILED = 100;

/** Files that PostgreSQL cannot run without: those of the write-ahead log, and the control file. */
const LOG_FILES = /\/(?:pg_wal\/|global\/pg_control$)/;

export interface FileEvents {
  /**
   * PostgreSQL has ended, or must. This must end the process within the call: PGlite would call the dead
   * PostgreSQL forever, so that no timer and no signal is handled any more.
   */
  onEnd(reason: string): never;
  /** The disk returned an error. PostgreSQL fails the statement or ends. */
  onFault(error: unknown): void;
  /** A file was written. */
  onWrite(): void;
}

/**
 * Watches the files of an embedded database, from before PostgreSQL starts. PGlite reports file errors only
 * to PostgreSQL.
 */
export function watchFiles(events: FileEvents): Extension {
  return {
    name: 'watched files',
    setup: async (_pglite, options: { preRun?: ((module: Module) => void)[] }) => ({
      emscriptenOpts: {
        ...options,
        preRun: [...(options.preRun ?? []), (module: Module) => watchModule(module, events)],
      },
    }),
  };
}

function watchModule(module: Module, events: FileEvents): void {
  const files = nodeFilesOf(module);
  const attempt = files.tryFSOperation;
  files.tryFSOperation = (operation) =>
    attempt(() => {
      try {
        return operation();
      } catch (error) {
        if (diskFaultOf(error)) events.onFault(error);
        throw error;
      }
    });

  const { write } = files.stream_ops;
  files.stream_ops.write = (stream, ...rest) => {
    try {
      return write(stream, ...rest);
    } catch (error) {
      const file = files.realPath(stream.node);
      if (LOG_FILES.test(file)) events.onEnd(`${path.basename(file)} of its log could not be written`);
      throw error;
    } finally {
      events.onWrite();
    }
  };

  let loopOnce = module._PostgresMainLoopOnce;
  const watchedLoop = () => {
    try {
      loopOnce();
    } catch (error) {
      const { status, message } = error as { status?: number; message?: string };
      if (status !== STATEMENT_FAILED) events.onEnd(`PostgreSQL has ended (${message ?? status})`);
      throw error;
    }
  };
  // Emscripten's first call replaces this property with WebAssembly's function.
  Object.defineProperty(module, '_PostgresMainLoopOnce', {
    get: () => watchedLoop,
    set: (given: typeof loopOnce) => {
      loopOnce = given;
    },
  });
}

export function nodeFilesOf(module: Pick<Module, 'FS'>): NodeFiles {
  const files = module.FS.filesystems.NODEFS;
  if (!files?.stream_ops)
    throw new Error(
      'PGlite has no file system NODEFS, so its writes cannot be made durable. Install the version of PGlite in package-lock.json.',
    );
  return files;
}
