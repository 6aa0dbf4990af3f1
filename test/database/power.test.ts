import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { amcheck } from '@electric-sql/pglite/contrib/amcheck';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startPglite } from '../../src/database/pglite/pglite-disk.ts';
import { unpackTemplate } from '../harness.ts';

/** Called before our fsync of a file. */
let beforeSync: (descriptor: number) => void = () => {};
vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return {
    ...original,
    fsyncSync(descriptor: number) {
      beforeSync(descriptor);
      original.fsyncSync(descriptor);
    },
  };
});

const PAGE = 4096;
/** No disk fails here. */
const EVENTS = {
  onFault: () => {},
  onWrite: () => {},
  onEnd(reason: string): never {
    throw new Error(reason);
  },
};

/**
 * Disk of a machine that may lose power. Each file is as it was when it was last synced. Each page that was
 * written since then is on the disk or not, at random. File names are always current, because file systems
 * with a journal keep them in order.
 */
class Medium {
  readonly #synced = new Map<number, Buffer>();
  readonly #directory: string;
  constructor(directory: string) {
    this.#directory = directory;
    for (const file of this.#files()) this.sync(fs.statSync(file).ino, fs.readFileSync(file));
  }

  sync(inode: number, content: Buffer): void {
    this.#synced.set(inode, content);
  }

  /** Writes to `target` the files as a power loss now might leave them. */
  image(target: string): void {
    for (const file of this.#files()) {
      const now = fs.readFileSync(file);
      const before = this.#synced.get(fs.statSync(file).ino) ?? Buffer.alloc(0);
      const content = Buffer.alloc(now.length);
      before.copy(content);
      for (let at = 0; at < now.length; at += PAGE) {
        const page = now.subarray(at, at + PAGE);
        if (Math.random() < 0.5) page.copy(content, at);
      }
      const copy = path.join(target, path.relative(this.#directory, file));
      fs.mkdirSync(path.dirname(copy), { recursive: true });
      fs.writeFileSync(copy, content);
    }
    for (const entry of fs.readdirSync(this.#directory, { recursive: true, withFileTypes: true })) {
      const place = path.join(entry.parentPath, entry.name);
      if (entry.isDirectory())
        fs.mkdirSync(path.join(target, path.relative(this.#directory, place)), { recursive: true });
    }
  }

  #files(): string[] {
    return fs
      .readdirSync(this.#directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  }
}

describe.skipIf(process.env.TEST_DATABASE_URL || process.platform !== 'linux')(
  'an embedded database whose machine loses power',
  () => {
    let directory: string;
    let medium: Medium;
    const home = () => path.join(directory, 'database');
    const restored: (() => void)[] = [];

    beforeEach(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'fixative-power-'));
    });
    afterEach(async () => {
      beforeSync = () => {};
      for (const restore of restored.splice(0)) restore();
      await rm(directory, { recursive: true, force: true });
    });

    /** Reports every sync of a file to the medium: by `fsyncSync` and by the methods of file handles. */
    async function watch(): Promise<void> {
      medium = new Medium(home());
      const note = (descriptor: number) => {
        const { ino } = fs.fstatSync(descriptor);
        const file = fs.readlinkSync(`/proc/self/fd/${descriptor}`);
        if (fs.statSync(file).isFile()) medium.sync(ino, fs.readFileSync(file));
      };
      beforeSync = note;
      const handle = await open(path.join(home(), 'PG_VERSION'));
      const prototype = Object.getPrototypeOf(handle) as typeof handle;
      await handle.close();
      for (const name of ['sync', 'datasync'] as const) {
        const original = prototype[name];
        prototype[name] = async function (this: typeof handle) {
          const { ino } = fs.fstatSync(this.fd);
          const file = fs.readlinkSync(`/proc/self/fd/${this.fd}`);
          const content = fs.statSync(file).isFile() ? fs.readFileSync(file) : null;
          await original.call(this);
          if (content) medium.sync(ino, content);
        };
        restored.push(() => {
          prototype[name] = original;
        });
      }
    }

    const contentOf = (id: number, version: number) =>
      createHash('sha512').update(`${id}:${version}`).digest('hex').repeat(20);

    test('has all acknowledged writes, wherever a checkpoint was', { timeout: 120_000 }, async () => {
      fs.mkdirSync(home());
      await unpackTemplate(home());
      const { pglite: first, disk: firstDisk } = await startPglite(home(), {}, EVENTS);
      await first.exec(
        'CREATE TABLE kept (id integer PRIMARY KEY, version integer, content text); CREATE INDEX ON kept (content)',
      );
      await firstDisk.synced(() => first.close());

      await watch();
      const { pglite, disk } = await startPglite(home(), {}, EVENTS);
      const acknowledged = new Map<number, number>();
      let next = 1;
      const write = async (count: number) => {
        for (let i = 0; i < count; i++) {
          const old = Math.random() < 0.4 && next > 1 ? 1 + Math.floor(Math.random() * (next - 1)) : next++;
          const version = (acknowledged.get(old) ?? 0) + 1;
          await pglite.query(
            'INSERT INTO kept VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET version = excluded.version, content = excluded.content',
            [old, version, contentOf(old, version)],
          );
          await disk.flush();
          acknowledged.set(old, version);
        }
      };
      // The power goes before there was a checkpoint; at syncs of one, before it is done; after it; and
      // between two writes.
      const images: { at: string; rows: Map<number, number> }[] = [];
      const cut = () => {
        const at = path.join(directory, `image-${images.length}`);
        medium.image(at);
        images.push({ at, rows: new Map(acknowledged) });
      };
      await write(60);
      cut();
      await disk.synced(() => pglite.exec('CHECKPOINT'));
      await write(60);

      const note = beforeSync;
      let syncs = 0;
      beforeSync = (descriptor) => {
        if (syncs++ % 4 === 0) cut();
        note(descriptor);
      };
      await disk.synced(() => pglite.exec('CHECKPOINT'));
      beforeSync = note;
      cut();
      await write(30);
      cut();
      await pglite.close();
      for (const restore of restored.splice(0)) restore();
      beforeSync = () => {};

      expect(images.length).toBeGreaterThan(4);
      for (const { at, rows } of images) {
        const { pglite: found, disk: foundDisk } = await startPglite(at, { extensions: { amcheck } }, EVENTS);
        const kept = await found.query<{ id: number; version: number; content: string }>(
          'SELECT id, version, content FROM kept ORDER BY id',
        );
        expect(new Map(kept.rows.map(({ id, version }) => [id, version]))).toEqual(rows);
        for (const { id, version, content } of kept.rows) expect(content).toBe(contentOf(id, version));
        await found.exec('CREATE EXTENSION IF NOT EXISTS amcheck');
        await found.query(
          `SELECT bt_index_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
             JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND indisvalid`,
        );
        // As the server closes it: the files are still being put on the disk until then.
        await foundDisk.synced(() => found.close());
      }
    });
  },
);
