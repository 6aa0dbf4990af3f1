import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';

/**
 * Durable writes of the limits: a file, and an object and its record in the database, written at the same
 * time.
 */
export interface DurableWrites {
  /** Resolves to the SHA-256 once all writes survive a power loss. */
  keep(bytes: Buffer): Promise<string>;
  read(from: 'filesystem' | 'database', sha256: string): Promise<Buffer | undefined>;
}

const INSERT = `WITH object AS (INSERT INTO bench_limit.objects (data) VALUES ($1) RETURNING id)
  INSERT INTO bench_limit.images (object_id, sha256, bytes) SELECT id, $2, $3 FROM object`;
const READ = `SELECT data FROM bench_limit.objects o JOIN bench_limit.images i ON i.object_id = o.id WHERE i.sha256 = $1`;

/** Opens an empty directory and schema. Deletes the gigabytes of the previous run first. */
export async function openDurableWrites(pool: pg.Pool, directory: string): Promise<DurableWrites> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await pool.query(`DROP SCHEMA IF EXISTS bench_limit CASCADE; CREATE SCHEMA bench_limit;
    CREATE TABLE bench_limit.objects (id bigserial PRIMARY KEY, data bytea NOT NULL);
    ALTER TABLE bench_limit.objects ALTER COLUMN data SET STORAGE EXTERNAL;
    CREATE TABLE bench_limit.images (id bigserial PRIMARY KEY, object_id bigint NOT NULL, sha256 text NOT NULL UNIQUE,
      bytes bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`);
  const fileOf = (sha256: string) => path.join(directory, sha256);

  /** Writes a file atomically: fsync under a temporary name, rename, fsync of the directory. */
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
