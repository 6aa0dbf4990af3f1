/**
 * Prisma gives a transaction two seconds to begin and five to end by default. On PGlite, transactions queue
 * for the one connection, and a burst of uploads would fail for nothing but its place in the queue.
 */
export const TRANSACTION_OPTIONS = { maxWait: 30_000, timeout: 60_000 } as const;
