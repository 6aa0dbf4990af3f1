/** The SQL of the database store: tables `stored_objects` and `stored_chunks`. */

/** Most chunks in one INSERT. They are in memory twice then, once as the message of the driver. */
export const CHUNKS_PER_INSERT = 8;

/** State of an object: as it was put (`bytes`), and as it is now (`present`; less if a chunk is gone). */
export interface ObjectRow {
  id: number;
  bytes: number;
  present: number;
  versions: string;
}

// The fingerprint is made of the row versions (xmin) of the chunks: any UPDATE changes it, and it costs no
// read of the bytes.
export const STAT_OBJECT = `
  SELECT o.id, o.bytes, coalesce(sum(octet_length(c.data)), 0)::bigint AS present,
    concat(o.id, ':', count(c.position), ':', string_agg(DISTINCT c.xmin::text, ',')) AS versions
  FROM stored_objects o LEFT JOIN stored_chunks c ON c.object_id = o.id
  WHERE o.key = $1 GROUP BY o.id`;

/** One row for each chunk of a range of positions, with NULL for a chunk that is gone. */
export const READ_CHUNKS = `
  SELECT c.data AS bytes FROM generate_series($2::integer, $3::integer) place
  LEFT JOIN stored_chunks c ON c.object_id = $1 AND c.position = place ORDER BY place`;

export const READ_OBJECT = `
  SELECT c.data AS bytes FROM stored_objects o JOIN stored_chunks c ON c.object_id = o.id WHERE o.key = $1
  ORDER BY c.position LIMIT $2`;

export const LIST_OBJECTS = `SELECT key, bytes, created_at AS "modifiedAt" FROM stored_objects
  WHERE key > $1 ORDER BY key LIMIT $2`;

/**
 * Serializes puts of one key, by the lock on its row. Keeps the id, because readers of the old object look up
 * its chunks by id.
 */
export const UPSERT_OBJECT = `INSERT INTO stored_objects (key, bytes) VALUES ($1, $2)
  ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes RETURNING id`;

// One parameter for each chunk: the driver sends bytes as they are, while PostgreSQL copies a long parameter
// for each cut.
const chunkValues = (count: number, firstParameter: number) =>
  Array.from({ length: count }, (_, n) => `(${n}, $${firstParameter + n}::bytea)`).join(', ');

/** Inserts a whole object in one statement, which needs no transaction. Returns no row if the key exists. */
const insertObject = (count: number) => `WITH object AS (
    INSERT INTO stored_objects (key, bytes) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING id
  ), chunks AS (
    INSERT INTO stored_chunks (object_id, position, data)
    SELECT object.id, chunk.n, chunk.data FROM object, (VALUES ${chunkValues(count, 3)}) AS chunk (n, data)
    RETURNING octet_length(data) AS bytes, xmin
  )
  SELECT o.id, sum(c.bytes)::bigint AS bytes, sum(c.bytes)::bigint AS present,
    concat(o.id, ':', count(*), ':', string_agg(DISTINCT c.xmin::text, ',')) AS versions
  FROM object o, chunks c GROUP BY o.id`;

const insertChunks = (count: number) => `INSERT INTO stored_chunks (object_id, position, data)
  SELECT $1::bigint, $2::int + chunk.n, chunk.data FROM (VALUES ${chunkValues(count, 3)}) AS chunk (n, data)`;

/** Statements by the number of chunks that they insert. */
export const INSERT_OBJECT = Array.from({ length: CHUNKS_PER_INSERT + 1 }, (_, count) => insertObject(count));
export const INSERT_CHUNKS = Array.from({ length: CHUNKS_PER_INSERT + 1 }, (_, count) => insertChunks(count));
