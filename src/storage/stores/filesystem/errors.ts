import { DISK_WORDS, diskFaultOf } from '../../../database/pglite/disk-fault.ts';
import { StoreError } from '../../../errors.ts';

/** Returns whether an error says that a file or one of its parent directories does not exist. */
export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Makes a StoreError of an error of the file system. Clients read its message, so it names neither paths nor
 * error codes.
 */
export function fileSystemError(name: string, what: string, cause: unknown): StoreError {
  const isFull = diskFaultOf(cause) === 'full';
  return new StoreError(`${name} ${what}: ${reasonOf(cause)}.`, name, {
    cause,
    ...(isFull ? { code: 'NO_SPACE' } : {}),
  });
}

function reasonOf(cause: unknown): string {
  const fault = diskFaultOf(cause);
  if (fault) return DISK_WORDS[fault];
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'the server lacks the permission';
  if (code === 'EMFILE' || code === 'ENFILE') return 'too many files are open';
  if (syscall) return 'its file system refused it';
  return cause instanceof Error ? cause.message : String(cause);
}
