import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import pg from 'pg';
import { FormData, fetch } from 'undici';
import { expect, test } from 'vitest';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { keyOf } from '../../src/storage/blob.ts';
import { UploadImageDocument, type UploadImageMutation } from '../generated/graphql.ts';
import { makeDatabase, pick, type Succeeded } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { runCommand, type ServerProcess, startServer } from './server.ts';

/** How often the server is killed; `CRASH_KILLS=100 npx vitest run test/crash` for a long look. */
const KILLS = Number(process.env.CRASH_KILLS ?? 4);
const TOKEN = 'crash-test-token-0123456789';
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

interface Acknowledged {
  readonly url: string;
  readonly sha256: string;
}

test(`what was acknowledged survives ${KILLS} kills at random moments with damage between them, and nothing is left behind`, {
  timeout: 60_000 + KILLS * 30_000,
}, async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-crash-'));
  const database = await makeDatabase();
  const environment = {
    DATA_DIR: directory,
    FIXATIVE_ROOT_TOKEN: TOKEN,
    LOG_LEVEL: 'error',
    ...(database ? { DATABASE_URL: database.url } : {}),
  };
  const acknowledged: Acknowledged[] = [];
  const damaged = { file: 0, row: 0 };
  let seed = 70_000;

  /** Uploads and generates until the server is gone. */
  async function client(server: ServerProcess): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        acknowledged.push(
          ...(await (i % 3 === 2 ? generate(server.url, `crash ${seed++}`) : upload(server.url, seed++))),
        );
      } catch {
        if (server.child.exitCode !== null || server.child.signalCode !== null) return;
      }
    }
  }

  async function check(url: string, image: Acknowledged): Promise<void> {
    const response = await fetch(url + new URL(image.url).pathname);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.status, image.url).toBe(200);
    expect(sha256(bytes), image.url).toBe(image.sha256);
  }

  /** Looks at what was acknowledged until the server is gone; a wrong byte or an error fails the test. */
  async function reader(server: ServerProcess): Promise<void> {
    while (server.child.exitCode === null && server.child.signalCode === null) {
      const image = pick(acknowledged);
      if (image)
        await check(server.url, image).catch((error) => {
          if (error.name === 'AssertionError') throw error;
        });
      await sleep(20);
    }
  }

  const fileOf = ({ sha256 }: Acknowledged) => path.join(directory, 'images', keyOf(sha256, 'image/png'));
  /**
   * An image is only ever damaged in one of its two stores, by its hash: whether it was repaired before the
   * next damage is left to chance.
   */
  const isHurtInFile = ({ sha256 }: Acknowledged) => Number.parseInt(sha256.slice(0, 2), 16) % 2 === 0;
  const someOf = (images: readonly Acknowledged[]) =>
    images.filter(() => Math.random() < Math.min(0.3, 10 / images.length));

  async function damage(): Promise<void> {
    const files = acknowledged.filter(isHurtInFile);
    for (const image of someOf(files)) {
      const bytes = await readFile(fileOf(image)).catch(() => null);
      if (!bytes) continue;
      damaged.file++;
      const how = pick(['flip', 'cut', 'remove'] as const);
      if (how === 'remove') await rm(fileOf(image));
      else if (how === 'cut') await truncate(fileOf(image), bytes.length >> 1);
      else {
        const at = Math.floor(Math.random() * bytes.length);
        bytes.writeUInt8((bytes.at(at) ?? 0) ^ 1, at);
        await writeFile(fileOf(image), bytes);
      }
    }
    const keys = someOf(acknowledged.filter((image) => !isHurtInFile(image))).map(({ sha256 }) =>
      keyOf(sha256, 'image/png'),
    );
    damaged.row += await damageRows(environment, keys);
  }

  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await startServer(environment);
      const clients = [client(server), client(server), client(server), reader(server)];
      // Something comes through first, however slow the machine is.
      const before = acknowledged.length;
      for (let waited = 0; acknowledged.length === before && waited < 20_000; waited += 50) await sleep(50);
      await sleep(Math.random() * 2000);
      await server.kill();
      await Promise.all(clients);
      await damage();
    }
    const last = await startServer(environment);
    for (const image of acknowledged) await check(last.url, image);
    expect(await last.stop()).toBe(0);
    expect(acknowledged.length).toBeGreaterThan(KILLS);
    expect(damaged.file).toBeGreaterThan(0);

    // More is damaged than a store may lose without a question.
    const found = await runCommand(['verify', '--json', '--max-missing', '100'], environment);
    const summary = JSON.parse(found.out.trim().split('\n').at(-1) ?? '{}');
    expect(summary, found.log).toMatchObject({ type: 'summary', lost: [], complete: true });
    for (const store of summary.stores) expect(store).toMatchObject({ unreachable: 0 });

    const restored = await runCommand(
      ['restore', '--all', '--orphan-grace', '0', '--max-missing', '100'],
      environment,
    );
    expect(restored, restored.log).toMatchObject({ code: 0 });
    const after = await runCommand(['verify'], environment);
    expect(after.code, after.out).toBe(0);
    // From each required store on its own: the file by its name, the database by what verify has read.
    for (const image of acknowledged) expect(sha256(await readFile(fileOf(image)))).toBe(image.sha256);
    expect(await readdir(path.join(directory, 'spool'))).toEqual([]);
    expect(await readdir(path.join(directory, 'images', '.writing')).catch(() => [])).toEqual([]);
    process.stdout.write(
      `${KILLS} kills, ${acknowledged.length} acknowledged, ${damaged.file} files and ${damaged.row} rows damaged, ${summary.stores.map((each: { store: string; orphans: number }) => `${each.orphans} orphans in ${each.store}`).join(', ')}\n`,
    );
  } finally {
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  }
});

/**
 * Changes one byte of each of these objects in the database, or takes the last of it away. @returns of how
 * many.
 */
async function damageRows(environment: { DATABASE_URL?: string; DATA_DIR: string }, keys: string[]) {
  const chosen = `FROM stored_objects o WHERE o.id = c.object_id AND o.key = ANY($1)`;
  const statement = pick([
    `UPDATE stored_chunks c SET data = set_byte(c.data, length(c.data) / 2, get_byte(c.data, length(c.data) / 2) # 1) ${chosen}`,
    `UPDATE stored_chunks c SET data = substring(c.data FROM 1 FOR length(c.data) / 2) ${chosen}`,
  ]);
  if (environment.DATABASE_URL) {
    const client = new pg.Client({ connectionString: environment.DATABASE_URL });
    await client.connect();
    const { rowCount } = await client.query(statement, [keys]);
    await client.end();
    return rowCount ?? 0;
  }
  // Opening it ends what a kill has left; mostly that is left to the server.
  if (Math.random() < 0.7) return 0;
  const embedded = await openPglite({ directory: path.join(environment.DATA_DIR, 'database') });
  const rows = await embedded.query(`${statement} RETURNING 1`, [keys]);
  await embedded.flush();
  await embedded.close();
  return rows.length;
}

async function upload(url: string, seed: number): Promise<Acknowledged[]> {
  const picture = await makePicture({ width: 200, height: 200, seed });
  const form = new FormData();
  form.append(
    'operations',
    JSON.stringify({ query: print(UploadImageDocument), variables: { input: { file: null } } }),
  );
  form.append('map', '{"0":["variables.input.file"]}');
  form.append('0', new File([picture], 'x.png'));
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: form,
  });
  const { data } = (await response.json()) as { data: Succeeded<UploadImageMutation> };
  const { image, userErrors } = data.uploadImage;
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  return [{ url: image.url, sha256: sha256(picture) }];
}

async function generate(url: string, prompt: string): Promise<Acknowledged[]> {
  const query = `mutation { generateImage(input: { prompt: ${JSON.stringify(prompt)}, model: "sample", size: "64x64" }) { images { url sha256 } } }`;
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as { data: { generateImage: { images: Acknowledged[] } } };
  return data.generateImage.images.filter((image) => image.url !== null);
}
