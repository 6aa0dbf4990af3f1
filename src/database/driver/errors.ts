/**
 * Classifies database errors, whether they come from node-postgres, from PGlite, or wrapped by Prisma's
 * client.
 */
import type pg from 'pg';
import type { ErrorCode } from '../../errors.ts';

/**
 * The database cannot be reached. Not a FixativeError: that concerns one image or one store, and work on the
 * others continues after it.
 */
export class DatabaseUnavailableError extends Error {
  readonly code: ErrorCode = 'DATABASE_UNAVAILABLE';
  readonly retryable = true;

  /** Whether all retries have been used up. */
  readonly isFinal: boolean;

  constructor({ isFinal = false, ...options }: ErrorOptions & { isFinal?: boolean } = {}) {
    super('The database cannot be reached at the moment. Try again.', options);
    this.isFinal = isFinal;
    this.name = new.target.name;
  }
}

/**
 * Prisma's codes for a value that does not fit the column, or violates a unique constraint:
 * https://www.prisma.io/docs/orm/reference/error-reference
 */
const DATA_CODES = new Set(['P2000', 'P2002', 'P2020', 'P2033']);
/**
 * SQLSTATEs: class 22 is data exception, 23505 unique_violation, 54000 program_limit_exceeded, such as the
 * length of a tsvector (PostgreSQL, Appendix A).
 */
const DATA_STATES = /^(22...|23505|54000)$/;

/** SQLSTATE deadlock_detected, and Prisma's code for it. */
const DEADLOCK_CODES = new Set(['40P01', 'P2034']);

/** System error codes for a connection that cannot be made, or broke. */
const SYSTEM_CODES = new Set(
  'EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENOTFOUND EPIPE ETIMEDOUT'.split(
    ' ',
  ),
);
/**
 * SQLSTATEs: class 08 is connection exception; 57P01 to 57P03 mean that the server shuts down, has crashed,
 * or starts.
 */
const AWAY_STATES = /^(08...|57P0[123])$/;
/** Prisma's codes: server unreachable, timed out, connection closed, no connection of the pool. */
const PRISMA_AWAY_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024']);
/** Messages of pg and its pool for connections that could not be made; these errors have no code. */
const NOT_SENT = /^timeout expired|is not queryable|due to connection timeout/;
/** Messages of pg and its pool for connections that broke, or that the pool could not give in time. */
const BROKEN = /^Connection terminated|^timeout exceeded when trying to connect/;

/**
 * Returns whether any operation failed because our database cannot be reached; false for an outage of another
 * service.
 */
export function isDatabaseAway(error: unknown): boolean {
  return causesOf(error).some(
    (cause) =>
      // pg-boss turns errors into plain objects.
      cause.code === 'DATABASE_UNAVAILABLE' ||
      (/^PrismaClient/.test(cause.name ?? '') && isUnreachable(cause)),
  );
}

/** Returns whether a statement of the database failed because the connection broke or could not be made. */
export function isUnreachable(error: unknown): boolean {
  return causesOf(error).some(
    (cause) =>
      codesOf(cause).some(
        (code) => SYSTEM_CODES.has(code) || AWAY_STATES.test(code) || PRISMA_AWAY_CODES.has(code),
      ) ||
      NOT_SENT.test(cause.message ?? '') ||
      BROKEN.test(cause.message ?? ''),
  );
}

/** Returns whether a statement was never sent, because there was no connection for it. */
export function isUnsent(error: unknown): boolean {
  return causesOf(error).some(
    ({ message = '', syscall, code }) =>
      syscall === 'connect' || syscall === 'getaddrinfo' || code === '57P03' || NOT_SENT.test(message),
  );
}

/** Returns whether the error comes from a running PostgreSQL, not from one that shuts down or starts. */
export function isServerError(error: unknown): boolean {
  const { severity, code } = error as { severity?: unknown; code?: unknown };
  return typeof severity === 'string' && !AWAY_STATES.test(String(code));
}

/** Returns whether the database rejected a value of the statement. */
export function isDataError(error: unknown): boolean {
  return causesOf(error).some(
    (cause) =>
      codesOf(cause).some((code) => DATA_CODES.has(code) || DATA_STATES.test(code)) ||
      // Prisma's client rejects a number that does not fit before it sends the statement.
      (cause.name === 'PrismaClientValidationError' && /fit|out of range/i.test(cause.message ?? '')),
  );
}

/** Returns whether PostgreSQL cancelled the transaction to resolve a deadlock. */
export function isDeadlock(error: unknown): boolean {
  return causesOf(error).some((cause) => codesOf(cause).some((code) => DEADLOCK_CODES.has(code)));
}

/**
 * Returns whether a prepared statement must be prepared again: the types of its columns have changed ("cached
 * plan must not change result type"), or the session no longer has it. PostgreSQL has not executed it then.
 */
export function isOutdatedStatement(error: unknown): boolean {
  const { code, message } = error as pg.DatabaseError;
  return code === '26000' || (code === '0A000' && /cached plan/.test(message));
}

/**
 * Returns all codes of an error and its causes, including those of the system and of SQLite (`SQLITE_13`).
 */
export function codesIn(error: unknown): string[] {
  return causesOf(error).flatMap(codesOf);
}

/** Fields of an error that are read here, whichever library made it. */
interface ErrorFields {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly originalCode?: unknown;
  /** Result code of SQLite; its lowest byte is the primary code (https://www.sqlite.org/rescode.html). */
  readonly errcode?: unknown;
  readonly cause?: ErrorFields;
  /** Errors of an AggregateError: one for each address of a host name. */
  readonly errors?: readonly ErrorFields[];
  readonly meta?: { readonly driverAdapterError?: ErrorFields };
}

const MAX_DEPTH = 6;

/** Returns an error and its causes, outermost first. */
function causesOf(error: unknown): ErrorFields[] {
  const causes: ErrorFields[] = [];
  let each = error as ErrorFields | undefined;
  while (typeof each === 'object' && each !== null && causes.length < MAX_DEPTH) {
    causes.push(each);
    each = each.cause ?? each.meta?.driverAdapterError ?? each.errors?.[0];
  }
  return causes;
}

const codesOf = ({ code, originalCode, errcode }: ErrorFields): string[] =>
  [code, originalCode, typeof errcode === 'number' && `SQLITE_${errcode & 0xff}`].filter(
    (each) => typeof each === 'string',
  );
