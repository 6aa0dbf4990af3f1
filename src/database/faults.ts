/** What an error of the database is, whichever way it came: from node-postgres, from PGlite, or through Prisma's client, which wraps it. */

/** Prisma's codes for a value that a column cannot hold, or that another row has: https://www.prisma.io/docs/orm/reference/error-reference */
const DATA_CODES = new Set(['P2000', 'P2002', 'P2020', 'P2033']);
/** Class 22 is data exception, 54000 a limit of the program such as the length of a tsvector: PostgreSQL, Appendix A. */
const DATA_STATES = /^(22...|23505|54000)$/;

/** deadlock_detected, and Prisma's code for it. */
const DEADLOCK_CODES = new Set(['40P01', 'P2034']);

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
  readonly originalCode?: unknown;
  /** Of SQLite; its lowest byte says what it is (https://www.sqlite.org/rescode.html). */
  readonly errcode?: unknown;
  readonly cause?: Fault;
  readonly meta?: { readonly driverAdapterError?: Fault };
}

const MAX_DEPTH = 6;

/** An error and what caused it. */
function faultsOf(error: unknown): Fault[] {
  const faults: Fault[] = [];
  let each = error as Fault | undefined;
  while (typeof each === 'object' && each !== null && faults.length < MAX_DEPTH) {
    faults.push(each);
    each = each.cause ?? each.meta?.driverAdapterError;
  }
  return faults;
}

const codesOf = ({ code, originalCode, errcode }: Fault): string[] =>
  [code, originalCode, typeof errcode === 'number' && `SQLITE_${errcode & 0xff}`].filter(
    (each) => typeof each === 'string',
  );
