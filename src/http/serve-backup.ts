import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { asActor } from '../audit/actor.ts';
import { recordAudit } from '../audit/audit.ts';
import type { Caller } from '../auth/caller.ts';
import type { Database } from '../database/database.ts';
import { openBackup } from '../database/pglite/backup/backup.ts';
import { FixativeError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import { sendProblem } from './response/problem.ts';

export interface BackupDeps {
  readonly database: Database;
  readonly dataDirectory: string;
  readonly log: Logger;
}

/** Time without any progress after which a client is taken for gone: a backup holds up checkpoints. */
const STALL_MS = 60_000;
const STATUS = { CONFLICT: 409, INVALID_INPUT: 404 } as const;

/**
 * `GET /api/backup`: sends a backup of the embedded database, as docs/backup.md describes it. A backup that
 * breaks off has no manifest, and the connection is closed before its end.
 */
export async function serveBackup(deps: BackupDeps, exchange: Exchange, caller: Caller): Promise<void> {
  const { database, dataDirectory, log } = deps;
  const { response } = exchange;
  try {
    const bytes = await openBackup(database, dataDirectory);
    await asActor(caller, () =>
      recordAudit(database, { action: 'backup.create', subject: 'database' }),
    ).catch((error: unknown) => {
      // Otherwise the backup would wait for a reader forever, and hold up checkpoints.
      bytes.destroy();
      throw error;
    });
    const time = new Date().toISOString().slice(0, 16).replaceAll(':', '');
    response.writeHead(200, {
      'Content-Type': 'application/zstd',
      'Content-Disposition': `attachment; filename="fixative-${time}.tar.zst"`,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    response.setTimeout(STALL_MS, () => response.destroy());
    await pipeline(bytes, response);
  } catch (error) {
    if (!response.headersSent) {
      const status = error instanceof FixativeError ? STATUS[error.code as keyof typeof STATUS] : undefined;
      if (!status) throw error;
      return sendProblem(exchange, status, error as FixativeError);
    }
    log.warn({ err: error }, 'a backup was interrupted');
    response.destroy();
  }
}
