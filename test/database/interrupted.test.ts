import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as undici from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { migrate, readMigrationState } from '../../src/database/migrate.ts';
import { readMigrations } from '../../src/database/migrations.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { askServer, CRASH_TOKEN } from '../crash/client.ts';
import { MAIN, runCommand, startServer } from '../crash/server.ts';
import { GenerateImageDocument, ImagesDocument } from '../generated/graphql.ts';
import { makeDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { copyFirstMigration } from './own-migrations.ts';

/** `MIGRATION_KILLS=100 vitest run …` searches for longer. */
const KILLS = Number(process.env.MIGRATION_KILLS ?? (process.env.TEST_DATABASE_URL ? 8 : 2));
const DONE = { pending: [], failed: [], unknown: [], edited: [] };

let directory: string;
let made: Awaited<ReturnType<typeof makeDatabase>>;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-interrupted-'));
  made = await makeDatabase();
});
afterEach(async () => {
  await made?.drop();
  await rm(directory, { recursive: true, force: true });
});

const open = (): Promise<Database> =>
  made
    ? openPostgresql({ url: made.url, poolSize: 4, onError: () => {} })
    : openPglite({ directory: path.join(directory, 'database') });

const firstName = async () => (await readMigrations())[0]?.name;

describe('a migration that was interrupted', () => {
  test('is settled, wherever it was interrupted', async () => {
    const migrations = path.join(directory, 'migrations');
    await copyFirstMigration(migrations, {
      '29990101000000_notes': 'CREATE TABLE notes (image_id bigint NOT NULL, text text NOT NULL)',
      '29990102000000_index': 'CREATE INDEX notes_image_id ON notes(image_id)',
      '29990103000000_last': `
        ALTER TABLE notes DROP COLUMN text, ADD COLUMN content text;
        CREATE FUNCTION touch_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER note_touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch_note();`,
    });
    const names = (await readMigrations(migrations)).map(({ name }) => name);
    const database = await open();
    try {
      await migrate(database, migrations);
      // As Prisma's engine leaves it that was killed between the SQL and the record of it.
      for (const name of names) {
        await database.query('UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1', [
          name,
        ]);
        expect((await readMigrationState(database, migrations)).failed).toEqual([name]);
        expect(await migrate(database, migrations)).toEqual([name]);
        expect(await readMigrationState(database, migrations)).toMatchObject(DONE);
      }
      // And before the SQL, which one transaction took back.
      const name = names.at(-1) as string;
      await database.executeSql(
        `ALTER TABLE notes DROP COLUMN content, ADD COLUMN text text;
         DROP TRIGGER note_touched ON notes; DROP FUNCTION touch_note();
         UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '${name}'`,
      );
      expect(await migrate(database, migrations)).toEqual([name]);
      const [column] = await database.query(
        `SELECT 1 FROM information_schema.columns WHERE table_name = 'notes' AND column_name = 'content'`,
      );
      expect(column).toBeDefined();
    } finally {
      await database.close();
    }
  }, 180_000);

  test('that fails leaves nothing, says why, and is tried again by the next start', async () => {
    const name = await firstName();
    const database = await open();
    try {
      // A table of another program, with the name of one of ours.
      await database.executeSql('CREATE TABLE blobs (x int)');
      await expect(migrate(database)).rejects.toMatchObject({
        message: expect.stringMatching(new RegExp(`^The migration ${name} failed.*blobs`)),
      });
      const [table] = await database.query<{ there: boolean }>(
        `SELECT to_regclass('generated_images') IS NOT NULL AS there`,
      );
      expect(table?.there).toBe(false);
      await database.executeSql('DROP TABLE blobs');
      await migrate(database);
      expect(await readMigrationState(database)).toMatchObject(DONE);
    } finally {
      await database.close();
    }
  });

  test('that PostgreSQL refused for a table in its way is not taken for applied', async () => {
    const database = await open();
    try {
      await database.executeSql('CREATE TABLE blobs (x int)');
      await migrate(database).catch(() => {});
      // As Prisma's engine records it.
      await database.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, logs) VALUES ('x', 'y', $1, 'relation "blobs" already exists')`,
        [await firstName()],
      );
      await expect(migrate(database)).rejects.toMatchObject({ code: 'INTERNAL' });
      await database.executeSql('DROP TABLE blobs');
      await migrate(database);
      expect(await readMigrationState(database)).toMatchObject(DONE);
    } finally {
      await database.close();
    }
  });

  test('of a later version is refused by its name', async () => {
    const database = await open();
    try {
      await migrate(database);
      await database.query(
        `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES ('x', 'y', now(), '29990101000000_later')`,
      );
      await expect(migrate(database)).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('29990101000000_later'),
      });
    } finally {
      await database.close();
    }
  });

  test('of before the first release is refused by its name, with the way out', async () => {
    const database = await open();
    try {
      await migrate(database);
      await database.query(
        `UPDATE _prisma_migrations SET migration_name = '20261129203904_healed_copies' WHERE migration_name = $1`,
        [await firstName()],
      );
      await expect(migrate(database)).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringMatching(
          /made before the first release.*20261129203904_healed_copies.*docs\/upgrading\.md/,
        ),
      });
      expect((await readMigrationState(database)).unknown).toEqual(['20261129203904_healed_copies']);
    } finally {
      await database.close();
    }
  });
});

const environment = () => ({ DATA_DIR: directory, ...(made ? { DATABASE_URL: made.url } : {}) });

async function startOver(): Promise<void> {
  await made?.drop();
  await rm(path.join(directory, 'database'), { recursive: true, force: true });
  made = await makeDatabase();
}

test('a kill at any moment of `migrate` leaves a database that the next one brings up to date', async () => {
  const began = performance.now();
  const whole = await runCommand(['migrate'], environment());
  expect(whole.code, whole.out + whole.log).toBe(0);
  const milliseconds = performance.now() - began;
  for (let kill = 0; kill < KILLS; kill++) {
    await startOver();
    const child = spawn(process.execPath, [MAIN, 'migrate'], {
      env: { PATH: process.env.PATH ?? '', ...environment() },
      stdio: 'ignore',
    });
    const closed = once(child, 'close');
    await sleep(milliseconds * (0.3 + (0.7 * (kill + Math.random())) / KILLS));
    child.kill('SIGKILL');
    await closed;
    const database = await open();
    try {
      await migrate(database);
      expect(await readMigrationState(database)).toMatchObject(DONE);
      expect(await database.query('SELECT id FROM generated_images')).toEqual([]);
    } finally {
      await database.close();
    }
  }
  const last = await runCommand(['migrate'], environment());
  expect(last.code, last.out + last.log).toBe(0);
  expect(last.out).toContain('The database is up to date.');
}, 600_000);

describe.runIf(process.env.TEST_DATABASE_URL)('on PostgreSQL', () => {
  test('five servers that start at once on an empty database all live', async () => {
    const started = await Promise.allSettled(
      Array.from({ length: 5 }, async (_, at) =>
        startServer({
          ...environment(),
          DATA_DIR: path.join(directory, String(at)),
          GENERATED_IMAGE_DIR: path.join(directory, 'images'),
        }),
      ),
    );
    const ready = await Promise.all(
      started.map(async (each) =>
        each.status === 'fulfilled' ? (await fetch(`${each.value.url}/ready`)).status : String(each.reason),
      ),
    );
    await Promise.all(started.map((each) => (each.status === 'fulfilled' ? each.value.stop() : null)));
    expect(ready).toEqual([200, 200, 200, 200, 200]);
  }, 240_000);

  /**
   * Returns the SQL of a migration that changes the type of a column. It invalidates prepared statements that
   * return the column.
   */
  async function widening(): Promise<string> {
    const [first] = await readMigrations();
    const trigger = /CREATE TRIGGER "fixative_tag_updated"[^;]*/.exec(first?.sql ?? '');
    expect(trigger).not.toBeNull();
    return `DROP TRIGGER "fixative_tag_updated" ON "generated_images";
      ALTER TABLE "generated_images" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(300); ${trigger}`;
  }

  test('a server goes on while a later version migrates, and is not started again', async () => {
    const settings = { ...environment(), FIXATIVE_ROOT_TOKEN: CRASH_TOKEN };
    const server = await startServer(settings);
    const database = await open();
    try {
      const uploadAndList = async (seed: number) => {
        const response = await undici.fetch(`${server.url}/graphql`, {
          method: 'POST',
          headers: { authorization: `Bearer ${CRASH_TOKEN}`, 'graphql-require-preflight': '1' },
          body: uploadForm({ content: await makePicture({ seed }) }),
        });
        expect(await response.json()).toMatchObject({ data: { uploadImage: { userErrors: [] } } });
        const { generateImage } = await askServer(server, GenerateImageDocument, {
          input: { model: 'sample', prompt: `fox ${seed}` },
        });
        expect(generateImage.userErrors).toEqual([]);
        const { images } = await askServer(server, ImagesDocument, { first: 5 });
        expect(images.nodes.length).toBeGreaterThan(0);
      };
      // Often enough for every statement to be prepared on every connection.
      for (let round = 0; round < 4; round++) await uploadAndList(round);
      await database.executeSql(
        `ALTER TABLE generated_images ADD COLUMN later text NOT NULL DEFAULT 'x'; ALTER TABLE blobs ADD COLUMN later int;
         ALTER TABLE copies ADD COLUMN later int; ${await widening()};
         INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES ('x', 'y', now(), '29990101000000_later')`,
      );
      for (let round = 4; round < 8; round++) await uploadAndList(round);
      expect(server.log()).not.toContain('"level":50');
    } finally {
      await database.close();
      await server.stop();
    }
    const again = await runCommand(['serve'], settings);
    expect(again.code).not.toBe(0);
    expect(again.out + again.log).toContain('29990101000000_later');
  }, 240_000);
});

test('no migration ends a transaction of its own', async () => {
  for (const { name, sql } of await readMigrations()) {
    const plain = sql.replaceAll(/\$\$.*?\$\$/gs, '').replaceAll(/--.*/g, '');
    expect(plain, name).not.toMatch(/\b(BEGIN|COMMIT|ROLLBACK|CONCURRENTLY|VACUUM)\b/);
  }
});
