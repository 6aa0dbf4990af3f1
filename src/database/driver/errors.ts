/** What an error of the database is, whichever way it came: from node-postgres, from PGlite, or through Prisma's client, which wraps it. */
import type { ErrorCode } from '../../errors.ts';

/**
 * The database cannot be reached. It is no FixativeError: those tell what is wrong with one image or one store, and work on many goes on after them.
 */
export class DatabaseUnavailableError extends Error {
  readonly code: ErrorCode = 'DATABASE_UNAVAILABLE';
  readonly retryable = true;

  /** Whether it was tried again for as long as it makes sense. */
  readonly isFinal: boolean;

  constructor({ isFinal = false, ...options }: ErrorOptions & { isFinal?: boolean } = {}) {
    super('The database cannot be reached at the moment. Try again.', options);
    this.isFinal = isFinal;
    this.name = new.target.name;
  }
}

/** Prisma's codes for a value that a column cannot hold, or that another row has: https://www.prisma.io/docs/orm/reference/error-reference */
const DATA_CODES = new Set(['P2000', 'P2002', 'P2020', 'P2033']);
/** Class 22 is data exception, 54000 a limit of the program such as the length of a tsvector: PostgreSQL, Appendix A. */
const DATA_STATES = /^(22...|23505|54000)$/;

/** deadlock_detected, and Prisma's code for it. */
const DEADLOCK_CODES = new Set(['40P01', 'P2034']);

/** Codes of the system for a connection that cannot be made, or broke. */
const SYSTEM_CODES = new Set(
  'EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENOTFOUND EPIPE ETIMEDOUT'.split(
    ' ',
  ),
);
/** Class 08 is connection exception, 57P01 to 57P03 a server that shuts down, crashed, or starts. */
const AWAY_STATES = /^(08...|57P0[123])$/;
/** Prisma's: cannot reach the server, timed out, closed the connection, no connection of the pool. */
const PRISMA_AWAY_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024']);
/** What pg and its pool say of connections that could not be made, and of connections that broke; they have no code. */
const NOT_SENT = /^timeout expired|is not queryable|due to connection timeout/;
const BROKEN = /^Connection terminated|^timeout exceeded when trying to connect/;

/** Whether anything failed because the database cannot be reached. The same failure of another service is none of these. */
export function isDatabaseAway(error: unknown): boolean {
  return faultsOf(error).some(
    (fault) =>
      // pg-boss makes plain objects of errors.
      fault.code === 'DATABASE_UNAVAILABLE' ||
      (/^PrismaClient/.test(fault.name ?? '') && isUnreachable(fault)),
  );
}

/** Whether a statement failed because the database cannot be reached, or no longer could. */
export function isUnreachable(error: unknown): boolean {
  return faultsOf(error).some(
    (fault) =>
      codesOf(fault).some(
        (code) => SYSTEM_CODES.has(code) || AWAY_STATES.test(code) || PRISMA_AWAY_CODES.has(code),
      ) ||
      NOT_SENT.test(fault.message ?? '') ||
      BROKEN.test(fault.message ?? ''),
  );
}

/** Whether a statement failed because there was no connection to send it on. */
export function isUnsent(error: unknown): boolean {
  return faultsOf(error).some(
    ({ message = '', syscall, code }) =>
      syscall === 'connect' || syscall === 'getaddrinfo' || code === '57P03' || NOT_SENT.test(message),
  );
}

/** Whether PostgreSQL itself has answered, and does not say that it is about to go or to come. */
export function isServerError(error: unknown): boolean {
  const { severity, code } = error as { severity?: unknown; code?: unknown };
  return typeof severity === 'string' && !AWAY_STATES.test(String(code));
}

/** Whether the database refused a statement for what is in its values, and not because something failed. */
export function isDataFault(error: unknown): boolean {
  return faultsOf(error).some(
    (fault) =>
      codesOf(fault).some((code) => DATA_CODES.has(code) || DATA_STATES.test(code)) ||
      // A number that does not fit is refused before it is sent.
      (fault.name === 'PrismaClientValidationError' && /fit|out of range/i.test(fault.message ?? '')),
  );
}

/** Whether PostgreSQL ended the transaction because it and another waited for each other. */
export function isDeadlock(error: unknown): boolean {
  return faultsOf(error).some((fault) => codesOf(fault).some((code) => DEADLOCK_CODES.has(code)));
}

/** All codes of an error and of what caused it, those of the system and of SQLite too. */
export function codesIn(error: unknown): string[] {
  return faultsOf(error).flatMap(codesOf);
}

interface Fault {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly originalCode?: unknown;
  /** Of SQLite; its lowest byte says what it is (https://www.sqlite.org/rescode.html). */
  readonly errcode?: unknown;
  readonly cause?: Fault;
  /** Of an AggregateError: one for each address of a name. */
  readonly errors?: readonly Fault[];
  readonly meta?: { readonly driverAdapterError?: Fault };
}

const MAX_DEPTH = 6;

/** An error and what caused it. */
function faultsOf(error: unknown): Fault[] {
  const faults: Fault[] = [];
  let each = error as Fault | undefined;
  while (typeof each === 'object' && each !== null && faults.length < MAX_DEPTH) {
    faults.push(each);
    each = each.cause ?? each.meta?.driverAdapterError ?? each.errors?.[0];
  }
  return faults;
}

const codesOf = ({ code, originalCode, errcode }: Fault): string[] =>
  [code, originalCode, typeof errcode === 'number' && `SQLITE_${errcode & 0xff}`].filter(
    (each) => typeof each === 'string',
  );
