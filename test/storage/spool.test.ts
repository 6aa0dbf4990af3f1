import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { openSpooler } from '../../src/storage/spool.ts';

test('a stream that fails while its file is being opened leaves no file behind', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-spool-'));
  try {
    const spooler = await openSpooler({ directory, maxBytes: 100, space: { require: async () => {} } });
    const failing = () => new Readable({ read() {} }).destroy(new Error('hung up'));
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => spooler.receive(failing())));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(spooler.count).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
