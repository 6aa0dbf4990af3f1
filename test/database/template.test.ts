import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { readMigrations } from '../../src/database/migrations.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { makeTemplate, readTemplate, TEMPLATE_FILE } from '../../src/database/pglite/template.ts';
import { eventually } from '../harness.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TEMPLATE_MODULE = path.join(ROOT, 'src/database/pglite/template.ts');

let directory: string;
let opened: Database[];
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-template-'));
  opened = [];
});
afterEach(async () => {
  for (const database of opened) await database.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(name: string, template: string, logged: string[] = []): Promise<Database> {
  const log = pino({}, { write: (line) => void logged.push(line) });
  const onEnd = (reason: string): never => {
    throw new Error(reason);
  };
  const watch = { floorBytes: 0, log, onEnd, onFault: () => {} };
  const database = await openPglite({ directory: path.join(directory, name), template, watch });
  opened.push(database);
  return database;
}

describe('a database that is made from the prepared one', () => {
  test('has every migration and no rows', async () => {
    const database = await open('database', TEMPLATE_FILE);
    expect(await migrate(database)).toEqual([]);
    const tables = await database.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    expect(tables.length).toBeGreaterThan(10);
    const filled: Record<string, number> = {};
    for (const { name } of tables) {
      const [row] = await database.query<{ count: number }>(`SELECT count(*) FROM ${name}`);
      if (row && row.count > 0) filled[name] = row.count;
    }
    expect(filled).toEqual({ _prisma_migrations: (await readMigrations()).length });
  });

  test('has an identity of its own, and is opened again', async () => {
    const identities = new Set<string>();
    const nonces = new Set<string>();
    for (const name of ['one', 'two']) {
      const database = await open(name, TEMPLATE_FILE);
      const [row] = await database.query<{ id: string }>(
        'SELECT system_identifier::text AS id FROM pg_control_system()',
      );
      identities.add(row?.id ?? '');
      await database.query(
        `INSERT INTO shared_values (name, value) SELECT 'n' || n, repeat('x', 900) FROM generate_series(1, 9000) n`,
      );
      await opened.pop()?.close();
      const control = await readFile(path.join(directory, name, 'global', 'pg_control'));
      // The nonce is the 32 bytes before the checksum; only zeros follow the checksum.
      const end = control.findLastIndex((byte) => byte !== 0) + 1;
      nonces.add(control.toString('hex', end - 36, end - 4));
      const again = await open(name, TEMPLATE_FILE);
      expect(await again.query('SELECT count(*) AS n FROM shared_values')).toEqual([{ n: 9000 }]);
    }
    expect([identities.size, nonces.size]).toEqual([2, 2]);
    expect(Math.min(...[...identities].map(Number))).toBeGreaterThan(0);
  });

  test('is made again after a kill during unpacking', async () => {
    const home = path.join(directory, 'database');
    await mkdir(path.join(home, 'base'), { recursive: true });
    await writeFile(path.join(home, 'base', '1'), 'half');
    await writeFile(`${home}.unfinished`, '');
    const database = await open('database', TEMPLATE_FILE);
    expect(await migrate(database)).toEqual([]);
    expect((await readdir(directory)).sort()).toEqual(['database']);
  });
});

describe('the installation', () => {
  /**
   * A checkout as it is in the first layer of a container image: with what `npm ci` reads, and without the
   * sources.
   */
  async function install(schema: string) {
    await mkdir(path.join(directory, 'prisma'));
    for (const name of ['prisma/install.js', 'prisma.config.ts', 'package.json'])
      await copyFile(path.join(ROOT, name), path.join(directory, name));
    await writeFile(path.join(directory, 'prisma/schema.prisma'), schema);
    await symlink(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
    const child = spawn(process.execPath, ['prisma/install.js'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
      });
    const [code] = await once(child, 'close');
    return { code, said };
  }

  test('continues without a prepared database and without the gallery, and says so', async () => {
    const { code, said } = await install(await readFile(path.join(ROOT, 'prisma/schema.prisma'), 'utf8'));
    expect([code, said]).toEqual([
      0,
      expect.stringMatching(
        /^The database .* takes 10 to 20 seconds longer: .*\nThe gallery was not built; `npm run build` builds it: .*\n$/,
      ),
    ]);
    expect(await readdir(path.join(directory, 'src/database/generated/client'))).toContain('client.ts');
  });

  test('fails with Prisma’s message when the client cannot be generated', async () => {
    const { code, said } = await install('model Broken {');
    expect([code, said]).toEqual([1, expect.stringMatching(/model Broken/)]);
  });
});

describe('a prepared database', () => {
  const broken = () => path.join(directory, 'broken.template');

  test('is not used when it is missing, damaged or of another version', async () => {
    const right = await readFile(TEMPLATE_FILE);
    const flipped = Buffer.from(right);
    flipped.writeUInt8(flipped.readUInt8(right.length >> 1) ^ 1, right.length >> 1);
    const end = right.indexOf('\n');
    const head = JSON.parse(right.toString('utf8', 0, end)) as { fingerprint: string };
    const other = JSON.stringify({ ...head, fingerprint: head.fingerprint.replaceAll(/./g, '0') });
    for (const [content, reason] of [
      [null, 'does not exist'],
      [Buffer.alloc(0), 'is damaged'],
      [right.subarray(0, right.length - 1), 'is damaged'],
      [right.subarray(0, 20), 'is damaged'],
      [flipped, 'is damaged'],
      [Buffer.from('null\n'), 'is damaged'],
      [Buffer.concat([Buffer.from(other), right.subarray(end)]), 'was made by another version'],
    ] as const) {
      if (content) await writeFile(broken(), content);
      expect(await readTemplate(broken())).toContain(reason);
    }
    await rm(broken());
    await mkdir(broken());
    expect(await readTemplate(broken())).toContain('cannot be read');
  });

  test('that is damaged is named in the log, and the database is made without it', async () => {
    await writeFile(broken(), 'half');
    const logged: string[] = [];
    const database = await open('database', broken(), logged);
    expect(logged.join()).toContain(`takes 10 to 20 seconds, because ${broken()} is damaged`);
    expect(await migrate(database)).toEqual((await readMigrations()).map(({ name }) => name));
  });

  test('leaves nothing beside it when it is made', async () => {
    const file = path.join(directory, 'cache', 'database.template');
    vi.stubEnv('TMPDIR', directory);
    await makeTemplate(file);
    vi.unstubAllEnvs();
    expect(await readTemplate(file)).toHaveProperty('unpack');
    expect(await readdir(directory)).toEqual(['cache']);
    expect(await readdir(path.dirname(file))).toEqual(['database.template']);
  }, 180_000);

  test('is never incomplete after a kill while it is made', async () => {
    const file = path.join(directory, 'cache', 'database.template');
    const code = `await (await import(${JSON.stringify(TEMPLATE_MODULE)})).makeTemplate(${JSON.stringify(file)})`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, TMPDIR: directory },
    });
    const ended = once(child, 'close');
    const isBegun = async () => {
      const names = await readdir(directory, { recursive: true });
      expect(names.some((name) => name.endsWith('PG_VERSION'))).toBe(true);
    };
    await eventually(isBegun);
    child.kill('SIGKILL');
    await ended;
    expect(await readTemplate(file)).toContain('does not exist');
  }, 180_000);
});
