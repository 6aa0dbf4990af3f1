import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { FIELDS, type Field } from './foreign-row.ts';

/** How a table of another system is read. */
export interface ForeignTableOptions {
  /** `name` or `schema.name`. */
  readonly table: string;
  readonly idColumn: string;
  /** Where its addresses are; null: `storage_url`, else `original_url`. */
  readonly urlColumn: string | null;
  /** Further columns and the fields that they are; beside them, each column with the name of a field of `generated_images` is that field. */
  readonly map: Readonly<Record<string, string>>;
}

export interface ForeignTable {
  /** The columns that addresses are read from, the first that holds one counts first. */
  readonly urlColumns: readonly string[];
  /** Walks the table in the order of its ids: each id as text, and the columns asked for. */
  walk(columns: readonly string[]): AsyncGenerator<ForeignRow[]>;
  /** Some rows, by their ids, with their columns named as fields of ours, and `urls`. */
  read(ids: readonly string[]): Promise<Map<string, ForeignRow>>;
  write(id: string, column: string, value: string): Promise<void>;
}

export type ForeignRow = Record<string, unknown> & { readonly id: string };

const PAGE = 1000;

/** A name as SQL quotes it, whatever is in it. */
export function quoteName(name: string): string {
  if (name === '' || name.includes('\0'))
    throw invalid(`${JSON.stringify(name)} is no name of a column or table.`);
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Looks at a table and how it is to be read.
 * @throws FixativeError INVALID_INPUT when the table or a column is not there, or a field is none of ours.
 */
export async function openForeignTable(db: Queryable, options: ForeignTableOptions): Promise<ForeignTable> {
  const table = options.table.split('.').map(quoteName).join('.');
  const found = await db.query<{ name: string }>(
    `SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  if (found.length === 0) throw invalid(`There is no table ${options.table} in that database.`);
  const columns = found.map(({ name }) => name);
  const require = (name: string) => {
    if (columns.includes(name)) return name;
    throw invalid(`${options.table} has no column ${JSON.stringify(name)}; it has ${columns.join(', ')}.`);
  };

  const id = quoteName(require(options.idColumn));
  await requireUnique(db, table, options.idColumn);
  const urlColumns = options.urlColumn
    ? [require(options.urlColumn)]
    : ['storage_url', 'original_url'].filter((name) => columns.includes(name));
  if (urlColumns.length === 0) {
    throw invalid(
      `${options.table} has neither storage_url nor original_url; say --url-column, one of ${columns.join(', ')}.`,
    );
  }
  const fields = new Map<Field, string>();
  for (const name of columns) {
    const field = fieldOf(name);
    if (field) fields.set(field, name);
  }
  for (const [name, wish] of Object.entries(options.map)) {
    const field = fieldOf(wish);
    if (!field) throw invalid(`There is no field ${JSON.stringify(wish)}; there are ${FIELDS.join(', ')}.`);
    fields.set(field, require(name));
  }
  const selected = [
    `${id}::text AS id`,
    ...[...fields].map(([field, name]) => `${quoteName(name)} AS ${quoteName(field)}`),
    // One by one: PGlite reads the NULL of an array as a word.
    ...urlColumns.map((name, index) => `${quoteName(name)}::text AS "url ${index}"`),
  ].join(', ');

  return {
    urlColumns,
    async *walk(wanted) {
      const list = [
        `${id}::text AS id`,
        ...wanted.map((name) => `${quoteName(require(name))}::text AS ${quoteName(name)}`),
      ];
      const from = `SELECT ${list.join(', ')} FROM ${table}`;
      const order = `ORDER BY ${table}.${id} LIMIT ${PAGE}`;
      for (let last: string | null = null; ; ) {
        const page: ForeignRow[] =
          last === null
            ? await db.query(`${from} ${order}`)
            : await db.query(`${from} WHERE ${table}.${id} > $1 ${order}`, [last]);
        if (page.length > 0) yield page;
        last = page.at(-1)?.id ?? null;
        if (page.length < PAGE) return;
      }
    },
    async read(ids) {
      const marks = ids.map((_, index) => `$${index + 1}`).join(', ');
      const rows = await db.query<ForeignRow>(
        `SELECT ${selected} FROM ${table} WHERE ${id} IN (${marks})`,
        ids,
      );
      return new Map(
        rows.map((row) => [row.id, { ...row, urls: urlColumns.map((_, index) => row[`url ${index}`]) }]),
      );
    },
    async write(rowId, column, value) {
      await db.query(`UPDATE ${table} SET ${quoteName(require(column))} = $1 WHERE ${id} = $2`, [
        value,
        rowId,
      ]);
    },
  };
}

/** `tool_name`, `toolName` and `ToolName` are one field. */
function fieldOf(name: string): Field | null {
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase();
  return FIELDS.find((field) => plain(field) === plain(name)) ?? null;
}

/** A row is known by its id, and written to by it: a column that two rows share would bring one over and overwrite the other's address. */
async function requireUnique(db: Queryable, table: string, column: string): Promise<void> {
  const indexes = await db.query(
    `SELECT 1 FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
     WHERE x.indrelid = to_regclass($1) AND x.indisunique AND x.indpred IS NULL AND x.indnkeyatts = 1
       AND a.attname = $2 AND a.attnotnull`,
    [table, column],
  );
  if (indexes.length > 0) return;
  const [row] = await db.query<{ shared: boolean }>(
    `SELECT count(*) <> count(DISTINCT ${quoteName(column)}) AS shared FROM ${table}`,
  );
  if (row?.shared) {
    throw invalid(
      `${column} names no row: some share it or have none. Say --id-column, a column that is unique.`,
    );
  }
}

function invalid(message: string): FixativeError {
  return new FixativeError('INVALID_INPUT', message);
}
