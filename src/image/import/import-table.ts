import type { Database } from '../../database/database.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { expiryOf } from '../../fetch/expiry.ts';
import type { Image } from '../image.ts';
import { runWorkers } from './concurrency.ts';
import { addressesOf, parseForeignRow } from './foreign-row.ts';
import type { ForeignRow, ForeignTable } from './foreign-table.ts';
import { type RescueDeps, rescueImage, rescueInto } from './import-image.ts';
import { FailedMeanwhile, findImported, importKeyOf, recordImported } from './import-record.ts';
import { attempt, compareUrgency, type ImportOptions } from './import-run.ts';
import { type LostRow, recordLost } from './lost-row.ts';

/** Rows of another system, with the table that they are in. */
export interface ImportTableDeps extends RescueDeps {
  readonly database: Database;
  readonly table: ForeignTable;
}

export interface ImportTableOptions extends ImportOptions {
  /** Under which the ids are on record: `table:<host>/<database>/<table>`. */
  readonly source: string;
  /** Whose the images are where a row does not say. */
  readonly user: string;
  /** What relative addresses are relative to. */
  readonly baseUrl: string | null;
  /** The column that gets our permanent address, and what stands before `/images/…` in it. */
  readonly writeBack: { readonly column: string; readonly publicUrl: string } | null;
  /** Tries once more what is on record as lost; what comes goes into the image that stands for it. */
  readonly retryFailed: boolean;
}

interface PendingRow {
  readonly id: string;
  readonly expiresAt: number | null;
  /** The failed image that stands for it. */
  readonly imageId: number | null;
}

const BATCH = 100;

/**
 * Brings over the rows of a table: bytes are rescued from their addresses, the soonest to expire first, and everything else is kept. A row
 * whose bytes cannot be had any more becomes a failed image that says why; what may work the next time is left for it. A row is
 * brought over once, however often this runs and wherever it was killed.
 * @returns how many addresses were written back.
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
    const records = await findImported(
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
      // A run that was killed between keeping and writing is caught up with.
      if (options.writeBack) await writeBack(row.id, record.storageUrl, row[options.writeBack.column]);
    }
  }
  pending.sort(compareUrgency(Date.now()));
  options.onPlan?.({ pending: pending.length, known });

  const take = async ([item, row]: [PendingRow, ForeignRow]) => {
    if (options.dryRun) {
      const expiresAt = item.expiresAt === null ? null : new Date(item.expiresAt);
      return options.onResult({ subject: `row ${item.id}`, outcome: 'planned', expiresAt });
    }
    const result = await importRow(deps, { item, row }, options);
    await writeBack(item.id, result.image?.storageUrl || null);
    options.onResult(result);
  };
  await runWorkers(inBatches(table, pending), take, { count: options.concurrency, signal: options.signal });
  return tally;
}

/** When the last of a row's addresses ends; null when one does not say. */
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
  let incomplete = false;

  const work = async (): Promise<Image | null> => {
    const { status, error, ...image } = parseForeignRow(row, { userId: options.user });
    if (status === 'pending' || status === 'processing') return null;
    const { addresses, leftOut } = addressesOf(row.urls as (string | null)[], options.baseUrl);
    incomplete = leftOut;
    const originalUrl = addresses.at(-1) ?? null;
    lost = { ...record, image, originalUrl, imageId: item.imageId };
    if (addresses.length === 0 && status === 'failed') {
      // It failed at its own system, and is brought over as it is.
      const failed = new FixativeError('PROVIDER_FAILED', error ?? 'It failed where it came from.');
      return recordLost(deps, { ...lost, imported: true }, failed);
    }
    const rescue = (url: string) => {
      const alsoRecord = (transaction: Parameters<typeof recordImported>[0], kept: Image) =>
        recordImported(transaction, record, kept);
      const into = (id: bigint) => rescueInto(deps, { id, url, filename: image.filename, alsoRecord });
      if (item.imageId !== null) return into(BigInt(item.imageId));
      return rescueImage(deps, { ...image, url, originalUrl, alsoRecord }).catch((error: unknown) => {
        if (error instanceof FailedMeanwhile) return into(error.imageId);
        throw error;
      });
    };
    return firstOf(addresses, rescue);
  };

  return attempt(subject, work, async (error) => {
    // What may work the next time, and what only a setting of ours forbids, is left for the next run.
    if (!lost || incomplete || error.retryable || error.code === 'SOURCE_FORBIDDEN') return;
    await recordLost(deps, lost, error).catch((fault: unknown) => {
      // What our columns cannot hold stands in the report, and nowhere else.
      if (!(fault instanceof InputError)) throw fault;
    });
  });
}

/** @throws what says the most of why no address gave it: that one may yet, else that only a setting of ours forbids one, else that one
 * has expired, else the first. */
async function firstOf(
  addresses: readonly string[],
  rescue: (url: string) => Promise<Image>,
): Promise<Image> {
  const errors: FixativeError[] = [];
  for (const url of addresses) {
    try {
      return await rescue(url);
    } catch (error) {
      const ofSource =
        error instanceof FixativeError && !['NO_SPACE', 'STORE_UNAVAILABLE'].includes(error.code);
      if (!ofSource) throw error;
      errors.push(error);
    }
  }
  throw (
    errors.find((error) => error.retryable) ??
    errors.find((error) => error.code === 'SOURCE_FORBIDDEN') ??
    errors.find((error) => error.code === 'SOURCE_EXPIRED') ??
    errors[0] ??
    new InputError('SOURCE_FAILED', 'The row has no address.')
  );
}
