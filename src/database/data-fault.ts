/** Prisma's codes for a value that a column cannot hold, or that another row has: https://www.prisma.io/docs/orm/reference/error-reference */
const PRISMA_CODES = new Set(['P2000', 'P2002', 'P2020', 'P2033']);

/** Class 22 is data exception, 54000 a limit of the program such as the length of a tsvector: PostgreSQL, Appendix A. */
const SQL_STATES = /^(22...|23505|54000)$/;

/** Whether the database refused a statement for what is in its values, and not because something failed. */
export function isDataFault(error: unknown): boolean {
  let each = error as Fault | undefined;
  for (let depth = 0; typeof each === 'object' && each !== null && depth < 6; depth++) {
    const codes = [each.code, each.originalCode];
    if (codes.some((code) => typeof code === 'string' && (PRISMA_CODES.has(code) || SQL_STATES.test(code))))
      return true;
    // A number that does not fit is refused before it is sent.
    if (each.name === 'PrismaClientValidationError' && /fit|out of range/i.test(each.message ?? ''))
      return true;
    each = each.cause ?? each.meta?.driverAdapterError;
  }
  return false;
}

interface Fault {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly cause?: Fault;
  readonly meta?: { readonly driverAdapterError?: Fault };
}
