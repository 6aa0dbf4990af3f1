import type { Database } from '../../database/database.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { expiryOf } from '../../fetch/expiry.ts';
import type { Image } from '../image.ts';
import { forEachConcurrently } from './concurrency.ts';
import { addressesOf, parseForeignRow } from './foreign-row.ts';
import type { ForeignRow, ForeignTable } from './foreign-table.ts';
import { type ImportDeps, importImage, importInto } from './import-image.ts';
import { FailedMeanwhile, findImportRecords, importKeyOf, recordImported } from './import-record.ts';
import { compareUrgency, type ImportOptions, importItem } from './import-run.ts';
import { type LostRow, recordLost } from './lost-row.ts';

export interface ImportTableDeps extends ImportDeps {
  readonly database: Database;
  /** Table of another system. */
  readonly table: ForeignTable;
}

export interface ImportTableOptions extends ImportOptions {
  /** Name of the table in the import records: `table:<host>/<database>/<table>`. */
  readonly source: string;
  /** Owner of images whose row names none. */
  readonly user: string;
  /** Base of relative addresses; null: rows with relative addresses are left out. */
  readonly baseUrl: string | null;
  /**
   * Column to write our permanent addresses to, and the URL before `/images/…` in them; null: none is
   * written.
   */
  readonly writeBack: { readonly column: string; readonly publicUrl: string } | null;
  /** Tries lost rows again. Their bytes go into the failed image that was recorded. */
  readonly retryFailed: boolean;
}

interface PendingRow {
  readonly id: string;
  readonly expiresAt: number | null;
  /** Failed image that an earlier run has recorded for it; null: none. */
  readonly imageId: number | null;
}

/** Rows to read at a time. */
const BATCH = 100;

/**
 * Imports the rows of a table and fetches their bytes, those that expire soonest first. A row whose bytes are
 * lost becomes a failed image with the reason. A row with an error that may pass is left for the next run.
 * Each row is imported once, however often this runs and wherever it was killed.
 * @returns written: how many addresses were written back.
 */
export async function importTable(
  deps: ImportTableDeps,
  options: ImportTableOptions,
): Promise<{ written: number }> {
  const { table } = deps;
  const tally = { written: 0 };
  const writeBack = async (id: string, storageUrl: string | null, current?: unknown) => {
    if (!options.writeBack || !storageUrl || options.dryRun) return;
    const address = options.writeBack.publicUrl + storageUrl;
    if (current === address) return;
    await table.write(id, options.writeBack.column, address);
    tally.written++;
  };

  const pending: PendingRow[] = [];
  let known = 0;
  const columns = [
    ...new Set([...table.urlColumns, ...(options.writeBack ? [options.writeBack.column] : [])]),
  ];
  for await (const page of table.walk(columns)) {
    const records = await findImportRecords(
      deps.database,
      options.source,
      page.map((row) => importKeyOf(row.id)),
    );
    for (const row of page) {
      const record = records.get(importKeyOf(row.id));
      if (!record || (record.outcome === 'failed' && options.retryFailed)) {
        pending.push({ id: row.id, expiresAt: lastExpiry(row, table), imageId: record?.imageId ?? null });
        continue;
      }
      known++;
      // An earlier run may have been killed after it recorded the image and before it wrote the address.
      if (options.writeBack) await writeBack(row.id, record.storageUrl, row[options.writeBack.column]);
    }
  }
  pending.sort(compareUrgency(Date.now()));
  options.onPlan?.({ pending: pending.length, known });

  const importOne = async ([item, row]: [PendingRow, ForeignRow]) => {
    if (options.dryRun) {
      const expiresAt = item.expiresAt === null ? null : new Date(item.expiresAt);
      return options.onResult({ subject: `row ${item.id}`, outcome: 'planned', expiresAt });
    }
    const result = await importRow(deps, { item, row }, options);
    await writeBack(item.id, result.image?.storageUrl || null);
    options.onResult(result);
  };
  const { concurrency: count, signal } = options;
  await forEachConcurrently(inBatches(table, pending), importOne, { count, signal });
  return tally;
}

/** Returns when the last of a row's addresses expires; null: one of them has no expiry. */
function lastExpiry(row: ForeignRow, table: ForeignTable): number | null {
  const urls = table.urlColumns.map((name) => row[name]).filter((url): url is string => !!url);
  const times = urls.map((url) => expiryOf(url)?.getTime() ?? null);
  return times.length === 0 || times.includes(null) ? null : Math.max(...(times as number[]));
}

async function* inBatches(
  table: ForeignTable,
  pending: readonly PendingRow[],
): AsyncGenerator<[PendingRow, ForeignRow]> {
  for (let at = 0; at < pending.length; at += BATCH) {
    const batch = pending.slice(at, at + BATCH);
    const rows = await table.read(batch.map(({ id }) => id));
    for (const item of batch) {
      const row = rows.get(item.id);
      if (row) yield [item, row];
    }
  }
}

async function importRow(
  deps: ImportTableDeps,
  { item, row }: { item: PendingRow; row: ForeignRow },
  options: ImportTableOptions,
) {
  const subject = `row ${item.id}`;
  const record = { source: options.source, key: importKeyOf(item.id) };
  let lost: LostRow | null = null;
  let hasMoreAddresses = false;

  const work = async (): Promise<Image | null> => {
    const { status, error, ...image } = parseForeignRow(row, { userId: options.user });
    if (status === 'pending' || status === 'processing') return null;
    const { addresses, leftOut } = addressesOf(row.urls as (string | null)[], options.baseUrl);
    hasMoreAddresses = leftOut;
    const originalUrl = addresses.at(-1) ?? null;
    lost = { ...record, image, originalUrl, imageId: item.imageId };
    if (addresses.length === 0 && status === 'failed') {
      // The row failed in its own system, and is imported as it is.
      const failed = new FixativeError(
        'PROVIDER_FAILED',
        error ?? 'The image had failed in the system that it was imported from.',
      );
      return recordLost(deps, { ...lost, imported: true }, failed);
    }
    const fetchFrom = (url: string) => {
      const alsoRecord = (transaction: Parameters<typeof recordImported>[0], kept: Image) =>
        recordImported(transaction, record, kept);
      const into = (id: bigint) => importInto(deps, { id, url, filename: image.filename, alsoRecord });
      if (item.imageId !== null) return into(BigInt(item.imageId));
      return importImage(deps, { ...image, url, originalUrl, alsoRecord }).catch((error: unknown) => {
        if (error instanceof FailedMeanwhile) return into(error.imageId);
        throw error;
      });
    };
    return firstOf(addresses, fetchFrom);
  };

  return importItem(subject, work, async (error) => {
    // The next run may succeed: after a passing error, with --base-url, or with another setting for forbidden
    // sources.
    if (!lost || hasMoreAddresses || error.retryable || error.code === 'SOURCE_FORBIDDEN') return;
    await recordLost(deps, lost, error).catch((fault: unknown) => {
      // A row that our columns cannot hold is only in the report.
      if (!(fault instanceof InputError)) throw fault;
    });
  });
}

/**
 * Imports from the first address that works.
 * @throws the most useful of the errors: one that may pass, else SOURCE_FORBIDDEN, else SOURCE_EXPIRED, else
 *   the first.
 */
async function firstOf(
  addresses: readonly string[],
  fetchFrom: (url: string) => Promise<Image>,
): Promise<Image> {
  const errors: FixativeError[] = [];
  for (const url of addresses) {
    try {
      return await fetchFrom(url);
    } catch (error) {
      const isOfSource =
        error instanceof FixativeError && !['NO_SPACE', 'STORE_UNAVAILABLE'].includes(error.code);
      if (!isOfSource) throw error;
      errors.push(error);
    }
  }
  throw (
    errors.find((error) => error.retryable) ??
    errors.find((error) => error.code === 'SOURCE_FORBIDDEN') ??
    errors.find((error) => error.code === 'SOURCE_EXPIRED') ??
    errors[0] ??
    new InputError('SOURCE_FAILED', 'The row has no address to fetch its bytes from.')
  );
}
