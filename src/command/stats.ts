import type { Services } from '../graphql/context.ts';
import type { ImageFilter } from '../image/list/conditions.ts';
import { findStores } from '../image/list/durability.ts';
import { countStats, type ImageStats } from '../image/list/stats.ts';
import { type Durations, TABLE_FIELDS } from '../image/list/table-stats.ts';
import { findVerifyAges, VERIFY_DAYS, type VerifyAges } from '../storage/verify-ages.ts';
import { EXIT, type ExitCode, formatTable, type Terminal } from './terminal.ts';

export interface StatsCommand extends Pick<ImageFilter, 'userId' | 'createdAfter' | 'createdBefore'> {
  readonly json: boolean;
}

/** Lists of `stats` in the text; `--json` has the others too. */
const FIELDS = new Set<string>(['total', 'byDay', 'byUser', ...TABLE_FIELDS]);
/** Most rows of a list in the text. */
const FEW = 10;

/** `stats`: prints what `imageStats` and `durabilityStats` say, as text or as one line of JSON. */
export async function runStats(
  { database, storage }: Pick<Services, 'database' | 'storage'>,
  { json, ...filter }: StatsCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const stores = await findStores({ database, stores: storage.stores });
  const images = await countStats({ database }, filter, { fields: FIELDS, stores });
  const ages = await findVerifyAges(database, stores.names);
  terminal.out(json ? `${JSON.stringify({ images, stores: ages })}\n` : textOf(images, ages));
  return EXIT.ok;
}

function textOf(images: ImageStats, stores: readonly VerifyAges[]): string {
  const { total, succeeded, failed, pending, processing, bytes, byDurability, spend } = images;
  const ended = succeeded + failed;
  const rate = ended === 0 ? '-' : `${((100 * succeeded) / ended).toFixed(1)} %`;
  const parts = [
    formatTable([
      ['images', 'succeeded', 'failed', 'rate', 'pending', 'processing', 'bytes'],
      [total, succeeded, failed, rate, pending, processing, bytes],
    ]),
    formatTable([
      ['durable', 'degraded', 'at risk', 'lost'],
      [byDurability.DURABLE, byDurability.DEGRADED, byDurability.AT_RISK, byDurability.LOST],
    ]),
    groups('model', images.byModel, ({ model }) => model),
    groups('provider', images.byProvider, ({ provider }) => provider),
    groups('user', images.byUser, ({ userId }) => userId),
    list(['error', 'images'], images.byErrorCode, ({ errorCode, total: of }) => [errorCode ?? '-', of]),
    durations('seconds in the queue', images.queueSeconds),
    durations('seconds of generation', images.generationSeconds),
    list(
      ['model', 'USD', 'images', 'cost not known'],
      spend.byModel,
      ({ model, usd, images: of, unknown }) => [
        ...[model ?? '-', usd === null ? '-' : usd.toFixed(4), of, unknown],
      ],
    ),
    list(['store', 'copies', ...VERIFY_DAYS.map((days) => `${days} d`), 'never'], stores, (each) => [
      ...[each.complete ? each.store : `${each.store} (in part)`, each.copies, ...each.within],
      each.neverVerified,
    ]),
  ];
  const note = images.complete ? '' : '\nThere are more images: the newest were counted. Use --since.\n';
  return `${parts.filter((part) => part !== '').join('\n\n')}\n${note}`;
}

function list<Item>(
  head: readonly string[],
  items: readonly Item[],
  row: (item: Item) => readonly (string | number)[],
): string {
  return items.length === 0 ? '' : formatTable([head, ...items.slice(0, FEW).map(row)]);
}

const groups = <Item extends { readonly total: number; readonly failed: number; readonly bytes: number }>(
  name: string,
  items: readonly Item[],
  nameOf: (item: Item) => string | null,
) =>
  list([name, 'images', 'failed', 'bytes'], items, (item) => [
    ...[nameOf(item) ?? '-', item.total, item.failed, item.bytes],
  ]);

const durations = (name: string, all: Durations | null) =>
  all === null
    ? ''
    : formatTable([
        [name, 'median', '95 %', '99 %', 'longest'],
        [all.images, ...[all.median, all.p95, all.p99, all.longest].map((value) => value.toFixed(1))],
      ]);
