/**
 * `npm run bench:repair [-- --quick]`: time to store, verify and restore 2,000 images, and the peak memory
 * while one file of 300 MB is uploaded, verified and restored. On the embedded database, or on the PostgreSQL
 * of TEST_DATABASE_URL.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { deflateSync } from 'node:zlib';
import { FormData, fetch } from 'undici';
import { startServer } from '../test/crash/server.ts';
import { makePngChunk, makeRandom, PNG_SIGNATURE } from '../test/pictures.ts';

const MiB = 1024 * 1024;
const TOKEN = 'bench-root-token-0123456789';
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const images = values.quick ? 100 : 2000;
const side = values.quick ? 3000 : 10_000;

const directory = await mkdtemp(path.join(tmpdir(), 'fixative-bench-'));
const environment = {
  DATA_DIR: path.join(directory, 'data'),
  FIXATIVE_ROOT_TOKEN: TOKEN,
  LOG_LEVEL: 'error',
  VERIFY_SCHEDULE: 'off',
  MAX_UPLOAD_BYTES: '1 GiB',
  MAX_IMAGE_PIXELS: '200000000',
  ...(process.env.TEST_DATABASE_URL ? { DATABASE_URL: process.env.TEST_DATABASE_URL } : {}),
};
const say = (text: string) => void process.stdout.write(`${text}\n`);

try {
  const server = await startServer(environment);
  const before = Date.now();
  for (let i = 0; i < images; i += 8) {
    await Promise.all(
      Array.from({ length: Math.min(8, images - i) }, (_, j) => send(server.url, makePng(160, 160, i + j))),
    );
  }
  say(`${images} uploads of 77 kB, eight at once, into two stores: ${seconds(before)} s`);
  await server.stop();

  const root = path.join(environment.DATA_DIR, 'images');
  const hashes = await hashesBelow(root);
  say(await measured('verify, every byte of both stores', ['verify']));
  for (const name of await readdir(root))
    if (!name.startsWith('.')) await rm(path.join(root, name), { recursive: true });
  say(
    await measured('restore --all after the directory was emptied', [
      'restore',
      '--all',
      '--max-missing',
      '100',
      '--json',
    ]),
  );
  const after = await hashesBelow(root);
  if (after.size !== images || [...after].some(([name, hash]) => hashes.get(name) !== hash))
    throw new Error('Restored files differ from the stored ones.');
  say(`every file is back, byte for byte: ${after.size}`);

  // One large file alone.
  const large = path.join(directory, 'large.png');
  await writeLargePng(large, side);
  const bytes = (await stat(large)).size;
  const second = await startServer(environment);
  const idle = await peakMiB(second.child.pid);
  const begun = Date.now();
  await send(second.url, large);
  const peak = await peakMiB(second.child.pid);
  say(
    `upload of one PNG of ${(bytes / MiB).toFixed(0)} MiB, ${side} × ${side} pixels: ${seconds(begun)} s, peak memory ${peak} MiB, ${peak - idle} above idle`,
  );
  await second.stop();
  say(await measured('verify with it', ['verify']));
  for (const name of await readdir(root))
    if (!name.startsWith('.')) await rm(path.join(root, name), { recursive: true });
  say(await measured('restore --all with it', ['restore', '--all', '--max-missing', '100', '--json']));
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** Runs a command; returns its time and peak memory in words. */
async function measured(what: string, args: string[]): Promise<string> {
  const begun = Date.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peak = 0;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await peakMiB(child.pid).catch(() => 0));
  }, 50);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return `${what}: ${seconds(begun)} s with the start, peak memory ${peak} MiB`;
}

/** Returns the peak memory of a process in MiB (VmHWM of proc_pid_status(5)). */
async function peakMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

function seconds(since: number): string {
  return ((Date.now() - since) / 1000).toFixed(1);
}

async function hashesBelow(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
  return new Map(
    await Promise.all(
      files.map(async (entry): Promise<[string, string]> => {
        const hash = createHash('sha256').update(await readFile(path.join(entry.parentPath, entry.name)));
        return [entry.name, hash.digest('hex')];
      }),
    ),
  );
}

async function send(url: string, file: Buffer | string): Promise<void> {
  const query =
    'mutation($input: UploadImageInput!) { uploadImage(input: $input) { image { url } userErrors { message } } }';
  const headers = { authorization: `Bearer ${TOKEN}` };
  const operations = JSON.stringify({ query, variables: { input: { file: null } } });
  let response: Awaited<ReturnType<typeof fetch>>;
  if (typeof file === 'string') {
    // Streamed by hand, so that this process does not limit the result.
    const part = (name: string, more = '') =>
      `\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
    const body = async function* () {
      yield Buffer.from(
        `--x${part('operations')}${operations}\r\n--x${part('map')}{"0":["variables.input.file"]}\r\n--x${part('0', '; filename="a.png"')}`,
      );
      yield* createReadStream(file, { highWaterMark: MiB });
      yield Buffer.from('\r\n--x--\r\n');
    };
    response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'multipart/form-data; boundary=x' },
      body: body(),
      duplex: 'half',
    });
  } else {
    const form = new FormData();
    form.append('operations', operations);
    form.append('map', '{"0":["variables.input.file"]}');
    form.append('0', new File([file as BlobPart], 'x.png'));
    response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: form });
  }
  const { data } = (await response.json()) as {
    data?: { uploadImage: { image: unknown; userErrors: unknown } };
  };
  if (!data?.uploadImage.image) throw new Error(JSON.stringify(data));
}

/** Makes a PNG of noise without compression, so that its size is that of its pixels. */
function makePng(width: number, height: number, seed: number): Buffer {
  const random = makeRandom(seed + 1);
  const rows = Buffer.alloc(height * (width * 3 + 1));
  for (let i = 0; i < rows.length; i++) rows[i] = i % (width * 3 + 1) === 0 ? 0 : Math.floor(random() * 256);
  return Buffer.concat([
    PNG_SIGNATURE,
    makePngChunk('IHDR', header(width, height)),
    makePngChunk('IDAT', deflateSync(rows, { level: 0 })),
    makePngChunk('IEND'),
  ]);
}

function header(width: number, height: number): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([8, 2, 0, 0, 0], 8);
  return data;
}

/** Writes a large PNG row by row, without compression: one zlib stream over many chunks. */
async function writeLargePng(file: string, size: number): Promise<void> {
  const { createDeflate } = await import('node:zlib');
  const handle = await open(file, 'w');
  await handle.write(PNG_SIGNATURE);
  await handle.write(makePngChunk('IHDR', header(size, size)));
  const deflate = createDeflate({ level: 0, chunkSize: MiB });
  const written = (async () => {
    for await (const chunk of deflate) await handle.write(makePngChunk('IDAT', chunk as Buffer));
  })();
  const row = Buffer.alloc(size * 3 + 1);
  for (let y = 0; y < size; y++) {
    for (let i = 1; i < row.length; i += 16) row[i] = (y * 31 + i * 7) & 255;
    if (!deflate.write(Buffer.from(row))) await new Promise((resolve) => deflate.once('drain', resolve));
  }
  deflate.end();
  await written;
  await handle.write(makePngChunk('IEND'));
  await handle.close();
}
