import { Readable } from 'node:stream';
import type { Database } from '../../../database/database.ts';
import { DISK_WORDS, diskFaultOf } from '../../../database/pglite/disk-fault.ts';
import { FixativeError, NotFoundError, StoreError } from '../../../errors.ts';
import type { ListedObject, ObjectStat, Store } from '../store.ts';
import { CHUNK_BYTES, readChunks } from './read-chunks.ts';
import { LIST_OBJECTS, type ObjectRow, READ_OBJECT } from './statements.ts';
import { makeObjectWriter, statObject } from './write-object.ts';

const LIST_PAGE = 1000;

/**
 * Keeps bytes in the database that has the records, so that a plain `pg_dump` is a complete backup. Objects
 * are cut into chunks, so that they stream both ways. An object is written in one transaction.
 */
export function makeDatabaseStore(options: { name: string; database: Database }): Store {
  const { name, database } = options;
  /** Bytes in memory, over all readers. */
  const held = { bytes: 0 };
  const write = makeObjectWriter(database);

  async function send<Result>(verb: string, key: string, request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } catch (cause) {
      throw storeErrorOf(name, verb, key, cause);
    }
  }

  return {
    name,
    kind: 'database',
    maxBytes: Number.POSITIVE_INFINITY,

    put: (key, source) => send('keep', key, async () => statOf(await write(key, source))),

    open: (key, range) =>
      send('open', key, async () => {
        const object = await statObject(database, key);
        if (!object) throw new NotFoundError(`${name} has no ${key}.`);
        const chunks = readChunks({ database, held }, object, range ?? { start: 0, end: object.bytes - 1 });
        return { stat: statOf(object), stream: Readable.from(chunks, { objectMode: false }) };
      }),

    readWhole: (key, buffer) => send('read', key, () => readObject(database, key, buffer)),

    stat: (key) =>
      send('look for', key, async () => {
        const object = await statObject(database, key);
        return object ? statOf(object) : null;
      }),

    delete: (key) =>
      send('delete', key, async () => {
        await database.query('DELETE FROM stored_objects WHERE key = $1', [key]);
      }),

    async *list() {
      for (let after = ''; ; ) {
        const rows = await send('list', 'its objects', () =>
          database.query<ListedObject>(LIST_OBJECTS, [after, LIST_PAGE]),
        );
        yield* rows;
        const last = rows.at(-1);
        if (!last || rows.length < LIST_PAGE) return;
        after = last.key;
      }
    },
  };
}

/** See Store.readWhole. */
async function readObject(database: Database, key: string, buffer: Buffer): Promise<number | null> {
  // One chunk more than fits shows that the object is longer than the buffer.
  const most = Math.ceil(buffer.length / CHUNK_BYTES) + 1;
  const values = await database.queryBytes(READ_OBJECT, [key, most], buffer);
  let bytes = 0;
  for (const value of values) {
    if (!value || bytes + value.length > buffer.length) return null;
    const isInPlace = value.buffer === buffer.buffer && value.byteOffset === buffer.byteOffset + bytes;
    if (!isInPlace) buffer.set(value, bytes);
    bytes += value.length;
  }
  return bytes > 0 ? bytes : null;
}

function statOf(object: ObjectRow): ObjectStat {
  return { bytes: object.present, fingerprint: `${object.present}:${object.versions}` };
}

function storeErrorOf(name: string, verb: string, key: string, cause: unknown): FixativeError {
  if (cause instanceof FixativeError) return cause;
  const fault = diskFaultOf(cause);
  const reason = fault ? DISK_WORDS[fault] : cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`${name} could not ${verb} ${key}: ${reason}.`, name, {
    cause,
    ...(fault === 'full' ? { code: 'NO_SPACE' } : {}),
  });
}
