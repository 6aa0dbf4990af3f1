import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

describe('an asset of the gallery', () => {
  let directory: string;
  let file: string;
  let app: TestApp;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'assets-'));
    await mkdir(path.join(directory, 'assets'));
    file = path.join(directory, 'assets', 'large.js');
    // Larger than the buffers of a connection.
    await writeFile(file, Buffer.alloc(16 * 1024 * 1024, ' '));
    await writeFile(path.join(directory, 'index.html'), '<base href="/" />');
    app = await openTestApp({}, { webDirectory: directory });
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true });
  });

  test.runIf(process.platform === 'linux')('is closed when its client hangs up', async () => {
    for (let i = 0; i < 5; i++) await hangUp(app.url);
    await vi.waitFor(async () => expect(await countOpen(file)).toBe(0), { timeout: 5000 });
  });

  test('that was replaced by another build ends its response, not the server', async () => {
    await rm(file);
    const broken = await app
      .fetch('/assets/large.js')
      .then((response) => response.text())
      .catch(() => null);
    expect(broken).toBeNull();
    await sleep(50);
    expect((await app.fetch('/health')).status).toBe(200);
  });
});

/** Asks for the asset, and resets the connection while it is sent. */
function hangUp(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(`GET /assets/large.js HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
    });
    socket.once('error', reject);
    socket.once('data', () => {
      socket.resetAndDestroy();
      resolve();
    });
  });
}

/** Counts the descriptors of this process, in which the server runs, that have a file open. */
async function countOpen(file: string): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(file)).length;
}
