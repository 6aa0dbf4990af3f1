import { parse } from 'csv-parse/sync';
import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { expiryOf } from '../../fetch/expiry.ts';
import { parseCreatedAt } from '../input.ts';
import { forEachConcurrently } from './concurrency.ts';
import { type ImportDeps, type ImportedImage, importImage, parseImportInput } from './import-image.ts';
import { findImportRecords, importKeyOf, recordFailed, recordImported } from './import-record.ts';
import { compareUrgency, type ImportOptions, importItem, withoutQuery } from './import-run.ts';

const SOURCE = 'urls';

/** Columns of a list. `userId`, `user_id` and `User ID` are the same column. */
const COLUMNS = [
  'url',
  'prompt',
  'tool',
  'userId',
  'username',
  'model',
  'tags',
  'filename',
  'createdAt',
  'requestId',
  'messageId',
  'metadata',
] as const;
type Column = (typeof COLUMNS)[number];

/** Delimiters of CSV. Spreadsheets write semicolons where the comma is the decimal separator. */
const DELIMITERS = [',', ';', '\t'] as const;

/** One line of a list: an image to import, or the error in the line. */
export interface ListedAddress {
  readonly line: number;
  readonly url: string;
  readonly image: ImportedImage | FixativeError;
}

/**
 * Reads a list of addresses. Plain text: one address a line, without empty lines and those that begin with
 * `#`. CSV, when the first line has a column `url`: commas, semicolons or tabs between cells, semicolons
 * between tags, metadata as JSON.
 * @throws FixativeError INVALID_INPUT for malformed CSV and for unknown columns.
 */
export function parseAddressList(text: string, defaults: { userId: string }): ListedAddress[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  // Excel reads the delimiter from such a first line.
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
          throw new Error(
            `the column ${JSON.stringify(name)} is unknown; the columns are ${COLUMNS.join(', ')}`,
          );
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
    const image = parseImportInput(
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
    throw new FixativeError('INVALID_INPUT', 'metadata is not JSON. Write a JSON object into the cell.', {
      cause,
    });
  }
}

/**
 * Imports the addresses of a list, those that expire soonest first. Addresses that an earlier run has
 * imported are left out; those that failed are tried again.
 */
export async function importUrls(
  deps: ImportDeps & { readonly database: Database },
  list: readonly ListedAddress[],
  options: ImportOptions,
): Promise<void> {
  // No quota applies to the operator.
  const { quotas: _, ...ownDeps } = deps;
  // When an address is on two lines, the first line counts.
  const byKey = new Map<string, ListedAddress>();
  for (const each of list) {
    const key = importKeyOf(each.url);
    if (!byKey.has(key)) byKey.set(key, each);
  }
  const done = new Set<string>();
  const keys = [...byKey.keys()];
  for (let at = 0; at < keys.length; at += 1000) {
    const records = await findImportRecords(deps.database, SOURCE, keys.slice(at, at + 1000));
    for (const { key, outcome } of records.values()) if (outcome === 'imported') done.add(key);
  }
  const pending = [...byKey]
    .filter(([key]) => !done.has(key))
    .map(([key, each]) => ({ key, ...each, expiresAt: expiryOf(each.url)?.getTime() ?? null }))
    .sort(compareUrgency(Date.now()));
  options.onPlan?.({ pending: pending.length, known: done.size });

  const importLine = async ({ key, line, url, image, expiresAt }: (typeof pending)[number]) => {
    const subject = `line ${line}: ${withoutQuery(url)}`;
    if (image instanceof FixativeError)
      return options.onResult({ subject, outcome: 'refused', error: image });
    if (options.dryRun) {
      const date = expiresAt === null ? null : new Date(expiresAt);
      return options.onResult({ subject, outcome: 'planned', expiresAt: date });
    }
    const alsoRecord: ImportedImage['alsoRecord'] = (transaction, kept) =>
      recordImported(transaction, { source: SOURCE, key }, kept);
    const result = await importItem(
      subject,
      () => importImage(ownDeps, { ...image, alsoRecord }),
      (error) => recordFailed(deps.database, { source: SOURCE, key }, { error, imageId: null }),
    );
    options.onResult(result);
  };
  await forEachConcurrently(pending, importLine, { count: options.concurrency, signal: options.signal });
}
