import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';

/** The two durable writes of the limits: bytes into a directory and into a table, and one row, the three of them at once. */
export interface DurableWrites {
  /** @returns the SHA-256, when all is safe from the loss of power. */
  keep(bytes: Buffer): Promise<string>;
  read(from: 'filesystem' | 'database', sha256: string): Promise<Buffer | undefined>;
}

const INSERT = `WITH object AS (INSERT INTO bench_limit.objects (data) VALUES ($1) RETURNING id)
  INSERT INTO bench_limit.images (object_id, sha256, bytes) SELECT id, $2, $3 FROM object`;
const READ = `SELECT data FROM bench_limit.objects o JOIN bench_limit.images i ON i.object_id = o.id WHERE i.sha256 = $1`;

/** Begins with nothing: what a run before wrote, some gigabytes, is removed. */
export async function openDurableWrites(pool: pg.Pool, directory: string): Promise<DurableWrites> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await pool.query(`DROP SCHEMA IF EXISTS bench_limit CASCADE; CREATE SCHEMA bench_limit;
    CREATE TABLE bench_limit.objects (id bigserial PRIMARY KEY, data bytea NOT NULL);
    ALTER TABLE bench_limit.objects ALTER COLUMN data SET STORAGE EXTERNAL;
    CREATE TABLE bench_limit.images (id bigserial PRIMARY KEY, object_id bigint NOT NULL, sha256 text NOT NULL UNIQUE,
      bytes bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`);
  const fileOf = (sha256: string) => path.join(directory, sha256);

  /** Whole or not at all: flushed under another name, renamed, and the directory flushed that names it. */
  async function write(file: string, bytes: Buffer): Promise<void> {
    const temporary = path.join(directory, randomUUID());
    const handle = await open(temporary, 'wx');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
    const parent = await open(directory, 'r');
    await parent.sync();
    await parent.close();
  }

  return {
    async keep(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const row = { name: 'keep', text: INSERT, values: [bytes, sha256, bytes.length] };
      await Promise.all([write(fileOf(sha256), bytes), pool.query(row)]);
      return sha256;
    },
    async read(from, sha256) {
      if (from === 'filesystem') return readFile(fileOf(sha256));
      return (await pool.query<{ data: Buffer }>(READ, [sha256])).rows[0]?.data;
    },
  };
}
