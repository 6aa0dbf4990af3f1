import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { ask } from '../cases/ask.ts';
import { makeDatabase } from '../harness.ts';
import { CRASH_TOKEN } from './client.ts';
import { runCommand, startServer } from './server.ts';

/**
 * Two images: to read the attempts of the newer fails, and later than the number of the older, which no
 * answer can hold.
 */
const DAMAGE = [
  `INSERT INTO generated_images (id, user_id, prompt, created_at) VALUES
    (9007199254740993, 'root', 'older', '2026-01-01'), (1, 'root', 'newer', '2026-01-02')`,
  'ALTER TABLE generations RENAME COLUMN attempts TO attempts_gone',
];

test('a list that fails at once and later is an error of one response, and does not end the server', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-abandoned-'));
  const database = await makeDatabase();
  const environment = {
    DATA_DIR: directory,
    FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
    ...(database ? { DATABASE_URL: database.url } : {}),
  };
  if (database) {
    expect((await runCommand(['migrate'], environment)).code).toBe(0);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    for (const statement of DAMAGE) await client.query(statement);
    await client.end();
  } else {
    const embedded = await openPglite({ directory: path.join(directory, 'database') });
    await migrate(embedded);
    for (const statement of DAMAGE) await embedded.query(statement);
    await embedded.close();
  }
  const server = await startServer(environment, ['serve', '--no-workers']);
  try {
    for (let time = 1; time <= 3; time++) {
      const { errors } = await ask(
        server,
        '{ images(first: 2) { nodes { databaseId attempts { startedAt } } } }',
        {},
        CRASH_TOKEN,
      );
      expect(errors).toHaveLength(1);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(server.child.exitCode).toBeNull();
  } finally {
    await server.stop();
    await database?.drop();
    await rm(directory, { recursive: true });
  }
});
