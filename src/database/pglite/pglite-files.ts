import path from 'node:path';
import type { Extension } from '@electric-sql/pglite';
import { diskFaultOf } from './disk-fault.ts';

/**
 * What we use of Emscripten's file system (https://emscripten.org/docs/api_reference/Filesystem-API.html).
 */
export interface NodeFiles {
  readonly stream_ops: {
    write(stream: FileStream, ...rest: unknown[]): number;
    fsync?: (stream: FileStream) => number;
  };
  /** Runs each call of the file system, and makes an error of WebAssembly out of what Node throws. */
  tryFSOperation<Result>(operation: () => Result): Result;
  realPath(node: object): string;
}

interface FileStream {
  readonly nfd?: number;
  readonly node: object;
}

/** What we use of PGlite's module. */
interface Module {
  readonly FS: { readonly filesystems: { readonly NODEFS?: NodeFiles } };
  _PostgresMainLoopOnce(): void;
}

/**
 * With this PostgreSQL says that a statement has failed, and takes the next; anything else that it throws is
 * its end.
 */
const STATEMENT_FAILED = 100;

/** Without either, nothing that is written later can be relied on. */
const OF_THE_LOG = /\/(?:pg_wal\/|global\/pg_control$)/;

export interface FileEvents {
  /**
   * PostgreSQL has ended itself, or cannot but do so. It has to end the process, in this very call: PGlite
   * would call the dead PostgreSQL for ever, and no timer and no signal would be heard.
   */
  onEnd(reason: string): never;
  /** The disk refused something. PostgreSQL answers the statement with an error, where it does not end. */
  onFault(error: unknown): void;
  /** Something was written. */
  onWrite(): void;
}

/**
 * Watches the files of an embedded database, from before PostgreSQL starts: PGlite itself tells nobody but
 * PostgreSQL what failed.
 */
export function watchFiles(events: FileEvents): Extension {
  return {
    name: 'watched files',
    setup: async (_pglite, options: { preRun?: ((module: Module) => void)[] }) => ({
      emscriptenOpts: {
        ...options,
        preRun: [...(options.preRun ?? []), (module: Module) => watch(module, events)],
      },
    }),
  };
}

function watch(module: Module, events: FileEvents): void {
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
      if (OF_THE_LOG.test(file)) events.onEnd(`${path.basename(file)} of its log cannot be written`);
      throw error;
    } finally {
      events.onWrite();
    }
  };

  let loopOnce = module._PostgresMainLoopOnce;
  const guarded = () => {
    try {
      loopOnce();
    } catch (error) {
      const { status, message } = error as { status?: number; message?: string };
      if (status !== STATEMENT_FAILED) events.onEnd(`PostgreSQL has ended (${message ?? status})`);
      throw error;
    }
  };
  // The first call replaces itself on the module by the function of WebAssembly.
  Object.defineProperty(module, '_PostgresMainLoopOnce', {
    get: () => guarded,
    set: (given: typeof loopOnce) => {
      loopOnce = given;
    },
  });
}

export function nodeFilesOf(module: Pick<Module, 'FS'>): NodeFiles {
  const files = module.FS.filesystems.NODEFS;
  if (!files?.stream_ops) throw new Error('The files of PGlite are not as they were: there is no NODEFS.');
  return files;
}
