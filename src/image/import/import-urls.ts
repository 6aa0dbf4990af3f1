import { parse } from 'csv-parse/sync';
import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { expiryOf } from '../../fetch/expiry.ts';
import { parseCreatedAt } from '../input.ts';
import { runWorkers } from './concurrency.ts';
import { parseRescueInput, type RescueDeps, type RescuedImage, rescueImage } from './import-image.ts';
import { findImported, importKeyOf, recordFailed, recordImported } from './import-record.ts';
import { attempt, compareUrgency, type ImportOptions, withoutQuery } from './import-run.ts';

const SOURCE = 'urls';

/** The columns of a list, however they are written: `userId`, `user_id`, `User ID`. */
const COLUMNS = [
  ...['url', 'prompt', 'tool', 'userId', 'username', 'model', 'tags', 'filename', 'createdAt'],
  ...['requestId', 'messageId', 'metadata'],
] as const;
type Column = (typeof COLUMNS)[number];

/** The semicolon is what spreadsheets write where the comma divides the decimals. */
const DELIMITERS = [',', ';', '\t'] as const;

/** One line of a list: an image to rescue, or why there is none. */
export interface ListedAddress {
  readonly line: number;
  readonly url: string;
  readonly image: (RescuedImage & { url: string }) | FixativeError;
}

/**
 * Reads a list of addresses: one a line, where empty lines and those that begin with # do not count; or CSV, when its first line has a column
 * `url`. Its cells are divided by commas, semicolons or tabs. Tags in their cell are divided by semicolons, metadata is JSON.
 * @throws FixativeError INVALID_INPUT when the CSV is none or has columns that nobody knows.
 */
export function parseAddressList(text: string, defaults: { userId: string }): ListedAddress[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  // Excel can be told by a first line what divides the cells.
  const first = /^sep=.$/.test(lines[0] ?? '') ? 1 : 0;
  const head = lines.slice(first).find((line) => line.trim() !== '') ?? '';
  const delimiter = DELIMITERS.find((each) => head.split(each).map(columnOf).includes('url'));
  if (delimiter) return parseCsv(text, { delimiter, firstLine: first + 1, defaults });
  return lines.flatMap((line, index) => {
    const url = line.trim();
    return url === '' || url.startsWith('#') ? [] : [listed(index + 1, { url }, defaults)];
  });
}

function parseCsv(
  text: string,
  { delimiter, firstLine, defaults }: { delimiter: string; firstLine: number; defaults: { userId: string } },
): ListedAddress[] {
  let records: { record: Partial<Record<Column, string>>; info: { lines: number } }[];
  try {
    records = parse(text, {
      bom: true,
      delimiter,
      from_line: firstLine,
      info: true,
      trim: true,
      skip_empty_lines: true,
      columns: (names: string[]) =>
        names.map((name) => {
          const column = columnOf(name);
          if (column) return column;
          throw new Error(`there is no column ${JSON.stringify(name)}; there are ${COLUMNS.join(', ')}`);
        }),
    }) as never;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FixativeError('INVALID_INPUT', `The CSV cannot be read: ${reason}.`, { cause: error });
  }
  return records.map(({ record, info }) => listed(info.lines, record, defaults));
}

function columnOf(name: string): Column | undefined {
  const plain = (text: string) => text.replaceAll(/[^a-z]/gi, '').toLowerCase();
  return COLUMNS.find((column) => plain(column) === plain(name));
}

function listed(
  line: number,
  record: Partial<Record<Column, string>>,
  defaults: { userId: string },
): ListedAddress {
  const { createdAt, tags, metadata, ...texts } = Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== ''),
  ) as Partial<Record<Column, string>>;
  const url = texts.url ?? '';
  try {
    const image = parseRescueInput(
      {
        ...texts,
        url,
        tool: texts.tool ?? 'import',
        tags: tags
          ?.split(';')
          .map((tag) => tag.trim())
          .filter(Boolean),
        metadata: metadata === undefined ? null : parseJson(metadata),
      },
      defaults,
    );
    return {
      line,
      url,
      image: createdAt === undefined ? image : { ...image, createdAt: parseCreatedAt(createdAt) },
    };
  } catch (error) {
    if (error instanceof FixativeError) return { line, url, image: error };
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FixativeError('INVALID_INPUT', 'metadata is not JSON.', { cause });
  }
}

/**
 * Rescues the addresses of a list, the soonest to expire first. What an earlier run has kept is left alone; what it could not keep is tried again.
 */
export async function importUrls(
  deps: RescueDeps & { readonly database: Database },
  list: readonly ListedAddress[],
  options: ImportOptions,
): Promise<void> {
  // No quota applies to the operator.
  const { quotas: _, ...ownDeps } = deps;
  // Of the same address on two lines the first counts.
  const byKey = new Map<string, ListedAddress>();
  for (const each of list) {
    const key = importKeyOf(each.url);
    if (!byKey.has(key)) byKey.set(key, each);
  }
  const done = new Set<string>();
  const keys = [...byKey.keys()];
  for (let at = 0; at < keys.length; at += 1000) {
    const known = await findImported(deps.database, SOURCE, keys.slice(at, at + 1000));
    for (const { key, outcome } of known.values()) if (outcome === 'imported') done.add(key);
  }
  const pending = [...byKey]
    .filter(([key]) => !done.has(key))
    .map(([key, each]) => ({ key, ...each, expiresAt: expiryOf(each.url)?.getTime() ?? null }))
    .sort(compareUrgency(Date.now()));
  options.onPlan?.({ pending: pending.length, known: done.size });

  const take = async ({ key, line, url, image, expiresAt }: (typeof pending)[number]) => {
    const subject = `line ${line}: ${withoutQuery(url)}`;
    if (image instanceof FixativeError)
      return options.onResult({ subject, outcome: 'refused', error: image });
    if (options.dryRun) {
      const date = expiresAt === null ? null : new Date(expiresAt);
      return options.onResult({ subject, outcome: 'planned', expiresAt: date });
    }
    const alsoRecord: RescuedImage['alsoRecord'] = (transaction, kept) =>
      recordImported(transaction, { source: SOURCE, key }, kept);
    const result = await attempt(
      subject,
      () => rescueImage(ownDeps, { ...image, alsoRecord }),
      (error) => recordFailed(deps.database, { source: SOURCE, key }, { error, imageId: null }),
    );
    options.onResult(result);
  };
  await runWorkers(pending, take, { count: options.concurrency, signal: options.signal });
}
