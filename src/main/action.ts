import { EXIT, type ExitCode } from '../command/terminal.ts';
import { type ErrorCode, FixativeError } from '../errors.ts';
import { outputTaken, terminal } from './terminal.ts';

/**
 * Milliseconds from the end of a command until the process exits, even if a library left a timer or a
 * connection open.
 */
const LINGER_MS = 2000;

/** Errors that mean wrong usage or wrong settings. */
const USAGE_ERRORS: readonly ErrorCode[] = ['INVALID_INPUT', 'INVALID_ID', 'NOT_FOUND', 'UNKNOWN_MODEL'];

/** Returns the action of a command: runs `work`, prints its error and sets the exit code. */
export function action<Values extends unknown[]>(work: (...values: Values) => Promise<ExitCode>) {
  return async (...values: Values) => {
    try {
      process.exitCode = await work(...values);
    } catch (error) {
      const known = error instanceof FixativeError;
      terminal.note(`${known ? error.message : explain(error)}\n`);
      process.exitCode = known && USAGE_ERRORS.includes(error.code) ? EXIT.usage : EXIT.failed;
    }
    setTimeout(() => void outputTaken().then(() => process.exit()), LINGER_MS).unref();
  };
}

/**
 * Returns the message of an error of the system or the database. Any other error is a defect and shows its
 * stack.
 */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  const inner = error instanceof AggregateError ? error.errors.map(String).join('; ') : '';
  if (syscall || (code && /^[0-9A-Z]{5}$/.test(code)) || inner) return `${error.message || inner} (${code})`;
  return error.stack ?? error.message;
}
