import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Database } from './database.ts';
import { advisoryKeyOf, IS_LOCKED, makeExclusively } from './driver/advisory-lock.ts';
import { openPools, type Pools, withOwnAdapter } from './driver/pools.ts';
import { makeExecuteSql, makeQuery, makeQueryBytes } from './driver/query.ts';
import { checkSession, requireOwnSchema, SessionClient, sessionConfig } from './driver/session.ts';
import { makePrismaTransaction, makeTransaction } from './driver/transactions.ts';
import { PrismaClient } from './generated/client/client.ts';
import { type Listener, makeListener } from './listener.ts';
import { TRANSACTION_OPTIONS } from './transaction-options.ts';

/** Milliseconds that `close` waits for the connections to end. */
const CLOSE_MILLISECONDS = 3000;

/**
 * Opens the database of a PostgreSQL server.
 * @throws FixativeError INVALID_INPUT when a connection pooler does not keep sessions, or when the schema's
 *   name is invalid.
 */
export async function openPostgresql(options: {
  url: string;
  poolSize: number;
  /** Called when a connection broke, but the database can be reached. */
  onError: (error: Error) => void;
  /** Called when the database becomes unreachable. */
  onAway?: (error: Error) => void;
  /** Called when it can be reached again. @param seconds duration of the outage. */
  onBack?: (seconds: number) => void;
}): Promise<Database> {
  const session = sessionConfig(options.url);
  requireOwnSchema(session);
  const { schema } = session;
  await checkSession(async () => {
    const client = new SessionClient(session);
    await client.connect();
    return client;
  });
  const pools = openPools(session, options.poolSize, {
    onBroken: options.onError,
    onAway: options.onAway ?? (() => {}),
    onBack: options.onBack ?? (() => {}),
  });
  const { connections, config } = pools;
  const listener = makeListener(config, () => connections.isAway);
  const adapterOptions = { onPoolError: () => {}, ...(schema ? { schema } : {}) };
  const adapter = new PrismaPg(pools.pool, adapterOptions);
  const prisma = new PrismaClient({ adapter, transactionOptions: TRANSACTION_OPTIONS });
  const keyOf = (name: string) => advisoryKeyOf(schema === null ? name : `${schema}.${name}`);
  const query = makeQuery(pools);
  return {
    kind: 'postgresql',
    schema,
    prisma,
    get isAway() {
      return connections.isAway;
    },
    requireReachable: () => connections.wait(),
    connections() {
      const { totalCount, idleCount, waitingCount } = pools.pool;
      return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
    },
    withAdapter: (work) => withOwnAdapter(config, adapterOptions, work),
    query,
    queryBytes: makeQueryBytes(pools),
    transaction: makeTransaction(pools, 'BEGIN'),
    prismaTransaction: makePrismaTransaction(pools, prisma),
    snapshot: makeTransaction(pools, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'),
    executeSql: makeExecuteSql(pools),
    listen: listener.listen,
    announce: (name) => listener.hold(keyOf(`announced:${name}`)),
    isAnnounced: async (name) => (await query(IS_LOCKED, [keyOf(`announced:${name}`)])).length > 0,
    exclusively: makeExclusively(pools, keyOf),
    flush: async () => {},
    close: () => closeAll(pools, listener, prisma),
  };
}

async function closeAll(pools: Pools, listener: Listener, prisma: PrismaClient): Promise<void> {
  pools.connections.close();
  const ended = prisma
    .$disconnect()
    .then(() => Promise.all([listener.close(), pools.shared.close(), pools.pool.end(), pools.locks.end()]));
  // A silent database does not end its connections. Prisma may also hold a broken one until a transaction
  // times out.
  const late = new AbortController();
  await Promise.race([ended, sleep(CLOSE_MILLISECONDS, undefined, { signal: late.signal })]);
  late.abort();
  pools.connections.destroy();
}
