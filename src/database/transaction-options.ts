/**
 * Time limits of Prisma's transactions, in milliseconds. The defaults are two seconds to begin and five to
 * end. On PGlite, transactions queue for one connection, so a burst of uploads would exceed them.
 */
export const TRANSACTION_OPTIONS = { maxWait: 30_000, timeout: 60_000 } as const;
