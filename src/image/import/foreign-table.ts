import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { FIELDS, type Field } from './foreign-row.ts';

/** How to read a table of another system. */
export interface ForeignTableOptions {
  /** `name` or `schema.name`. */
  readonly table: string;
  readonly idColumn: string;
  /** Column of the addresses; null: `storage_url`, then `original_url`. */
  readonly urlColumn: string | null;
  /**
   * Further columns, with the fields that they hold. Columns that are named like a field of
   * `generated_images` need no entry.
   */
  readonly map: Readonly<Record<string, string>>;
}

export interface ForeignTable {
  /** Columns with addresses. The first that has one is used first. */
  readonly urlColumns: readonly string[];
  /** Yields pages of rows in the order of their ids: the id as text, and the given columns. */
  walk(columns: readonly string[]): AsyncGenerator<ForeignRow[]>;
  /** Reads rows by their ids. Columns have the names of our fields; `urls` has the addresses. */
  read(ids: readonly string[]): Promise<Map<string, ForeignRow>>;
  write(id: string, column: string, value: string): Promise<void>;
}

export type ForeignRow = Record<string, unknown> & { readonly id: string };

/** Rows of a page. */
const PAGE = 1000;

/** Quotes a name for SQL. @throws FixativeError INVALID_INPUT */
export function quoteName(name: string): string {
  if (name === '' || name.includes('\0'))
    throw invalidTable(`${JSON.stringify(name)} is not a name of a column or table.`);
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Opens a table for import.
 * @throws FixativeError INVALID_INPUT when the table or a column does not exist, a field is unknown, or ids
 *   are not unique.
 */
export async function openForeignTable(db: Queryable, options: ForeignTableOptions): Promise<ForeignTable> {
  const table = options.table.split('.').map(quoteName).join('.');
  const names = await columnsOf(db, table, options);
  const columns: Columns = {
    names,
    require(name) {
      if (names.includes(name)) return name;
      throw invalidTable(
        `${options.table} has no column ${JSON.stringify(name)}. Choose one of: ${names.join(', ')}.`,
      );
    },
  };
  const id = quoteName(columns.require(options.idColumn));
  await requireUnique(db, table, options.idColumn);
  const urlColumns = urlColumnsOf(columns, options);
  const fields = fieldsOf(columns, options);
  return makeForeignTable(db, { table, id, columns, urlColumns, fields });
}

interface Columns {
  readonly names: readonly string[];
  /** Returns the name. @throws FixativeError INVALID_INPUT when there is no such column. */
  require(name: string): string;
}

interface TableLayout {
  /** Quoted name. */
  readonly table: string;
  /** Quoted name of the id column. */
  readonly id: string;
  readonly columns: Columns;
  readonly urlColumns: readonly string[];
  readonly fields: ReadonlyMap<Field, string>;
}

function makeForeignTable(db: Queryable, layout: TableLayout): ForeignTable {
  const { table, id, columns, urlColumns } = layout;
  const selected = selectedColumns(layout);

  return {
    urlColumns,
    async *walk(wanted) {
      const list = [
        `${id}::text AS id`,
        ...wanted.map((name) => `${quoteName(columns.require(name))}::text AS ${quoteName(name)}`),
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
      const text = `UPDATE ${table} SET ${quoteName(columns.require(column))} = $1 WHERE ${id} = $2`;
      await db.query(text, [value, rowId]);
    },
  };
}

function selectedColumns({ id, fields, urlColumns }: TableLayout): string {
  return [
    `${id}::text AS id`,
    ...[...fields].map(([field, name]) => `${quoteName(name)} AS ${quoteName(field)}`),
    // One column for each address and no array: PGlite reads NULL in an array as a word.
    ...urlColumns.map((name, index) => `${quoteName(name)}::text AS "url ${index}"`),
  ].join(', ');
}

/** Returns the names of a table's columns. @param table its quoted name. */
async function columnsOf(db: Queryable, table: string, options: ForeignTableOptions): Promise<string[]> {
  const found = await db.query<{ name: string }>(
    `SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  if (found.length === 0)
    throw invalidTable(`There is no table ${options.table} in that database. Check its name and schema.`);
  return found.map(({ name }) => name);
}

function urlColumnsOf({ names, require }: Columns, { table, urlColumn }: ForeignTableOptions): string[] {
  if (urlColumn) return [require(urlColumn)];
  const found = ['storage_url', 'original_url'].filter((name) => names.includes(name));
  if (found.length > 0) return found;
  throw invalidTable(
    `${table} has neither storage_url nor original_url. Set --url-column to one of: ${names.join(', ')}.`,
  );
}

/** Returns the column of each field. */
function fieldsOf({ names, require }: Columns, { map }: ForeignTableOptions): Map<Field, string> {
  const fields = new Map<Field, string>();
  for (const name of names) {
    const field = fieldOf(name);
    if (field) fields.set(field, name);
  }
  for (const [name, wish] of Object.entries(map)) {
    const field = fieldOf(wish);
    if (!field)
      throw invalidTable(`There is no field ${JSON.stringify(wish)}. Choose one of: ${FIELDS.join(', ')}.`);
    fields.set(field, require(name));
  }
  return fields;
}

/**
 * Returns the field with a name; null: there is none. `tool_name`, `toolName` and `ToolName` are the same.
 */
function fieldOf(name: string): Field | null {
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase();
  return FIELDS.find((field) => plain(field) === plain(name)) ?? null;
}

/**
 * Rejects an id column with equal values: of two such rows one would be imported, and the other would get its
 * address.
 */
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
    throw invalidTable(
      `Column ${column} is not unique, or contains NULLs. Set --id-column to a column that identifies each row.`,
    );
  }
}

function invalidTable(message: string): FixativeError {
  return new FixativeError('INVALID_INPUT', message);
}
