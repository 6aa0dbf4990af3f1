/**
 * `npm run bench:memory [-- --quick] [-- --minutes N]`: peak memory of a server, in a new process for each
 * case: idle, a thousand connections that list, fifty uploads of 20 MB at once, one upload of 1 GB. Requests
 * are streamed and contain real pixels. With `--minutes`, one case alone: everything at once for N minutes,
 * with the memory at each sixth.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDeflate } from 'node:zlib';
import { makePngChunk, PNG_SIGNATURE } from '../test/pictures.ts';
import { startPostgresql } from '../test/postgresql.ts';
import { type ServerProcess, startServer } from './servers.ts';

const MiB = 1024 * 1024;
const TOKEN = 'bench-root-token-0123456789';
const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, minutes: { type: 'string' } },
});
const scale = values.quick
  ? { connections: 100, uploads: 10, side: 1000, largeSide: 3000 }
  : // RGB: 2,582² × 3 are 20 MB, 18,257² × 3 are 1 GB.
    { connections: 1000, uploads: 50, side: 2582, largeSide: 18_257 };

const directory = await mkdtemp(path.join(tmpdir(), 'fixative-memory-'));
const postgresql = await startPostgresql({ durable: true });
const rows: { what: string; peak: number; seconds: number }[] = [];
try {
  if (values.minutes) await mixed(Number(values.minutes));
  else await each();
  const idle = rows[0]?.peak ?? 0;
  const lines = rows.map(
    ({ what, peak, seconds }) => `| ${what} | ${peak} MiB | ${peak - idle} | ${seconds.toFixed(1)} s |`,
  );
  process.stdout.write(`| | peak resident | above idle | time |\n|---|---|---|---|\n${lines.join('\n')}\n`);
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true, force: true });
}

async function each(): Promise<void> {
  await measured('idle, after its start and one list', async (server) => {
    await list(server, new HttpAgent());
  });
  await measured(
    `${scale.connections} connections, each with ten lists one after the other`,
    async (server) => {
      const agent = new HttpAgent({ keepAlive: true, maxSockets: scale.connections });
      const connection = async () => {
        for (let i = 0; i < 10; i++) await list(server, agent);
      };
      await Promise.all(Array.from({ length: scale.connections }, connection));
      agent.destroy();
    },
  );
  const medium = path.join(directory, 'medium.png');
  await writePng(medium, scale.side);
  await measured(`${scale.uploads} uploads of ${await sizeOf(medium)} at once`, async (server) => {
    await Promise.all(Array.from({ length: scale.uploads }, () => upload(server, medium)));
  });
  const large = path.join(directory, 'large.png');
  await writePng(large, scale.largeSide);
  await measured(`one upload of ${await sizeOf(large)}, ${scale.largeSide}² pixels`, (server) =>
    upload(server, large),
  );
}

/** Lists, generations, small and large uploads, and downloads, by sixteen clients. */
async function mixed(minutes: number): Promise<void> {
  const files = await Promise.all(
    [150, 600, 2000].map(async (side) => {
      const file = path.join(directory, `${side}.png`);
      await writePng(file, side);
      return file;
    }),
  );
  await measured(`${minutes} minutes of everything`, async (server) => {
    const end = performance.now() + minutes * 60_000;
    const agent = new HttpAgent({ keepAlive: true });
    let acts = 0;
    const caller = async (at: number) => {
      for (let turn = at; performance.now() < end; turn++) {
        if (turn % 5 === 0) await upload(server, files[turn % 15 === 0 ? 2 : turn % 2] as string);
        else if (turn % 5 === 1) await generate(server, agent);
        else if (turn % 5 === 2) await bytes(server, agent);
        else await list(server, agent);
        acts++;
      }
    };
    const sampled = (async () => {
      for (let sixth = 1; sixth <= 6; sixth++) {
        await sleep(minutes * 10_000);
        const { resident } = await memoryOf(server.pid);
        process.stdout.write(
          `after ${((minutes * sixth) / 6).toFixed(1)} minutes: ${resident} MiB resident\n`,
        );
      }
    })();
    await Promise.all([sampled, ...Array.from({ length: 16 }, (_, at) => caller(at))]);
    process.stdout.write(`${acts} requests\n`);
    agent.destroy();
  });
}

async function measured(what: string, work: (server: ServerProcess) => Promise<void>): Promise<void> {
  const data = path.join(directory, randomUUID());
  // A new database for each case: a second server would find that the store of the first is gone.
  const url = new URL(postgresql.url);
  url.pathname = `/${await createDatabase()}`;
  const server = await startServer(['src/main.ts', 'serve'], {
    directory,
    env: {
      DATABASE_URL: url.href,
      DATA_DIR: data,
      FIXATIVE_ROOT_TOKEN: TOKEN,
      LOG_LEVEL: 'error',
      VERIFY_SCHEDULE: 'off',
      PORT: '0',
      MAX_UPLOAD_BYTES: '2 GiB',
      MAX_IMAGE_PIXELS: '400000000',
      MAX_IMAGE_SIDE: '20000',
      RATE_LIMIT_PER_CALLER: 'off',
      // All requests come from one address and one caller.
      MAX_REQUESTS: '2000',
      MAX_REQUESTS_PER_ADDRESS: '2000',
      MAX_UPLOADS_PER_CALLER: '64',
    },
  });
  try {
    const begun = performance.now();
    await work(server);
    rows.push({ what, peak: (await memoryOf(server.pid)).peak, seconds: (performance.now() - begun) / 1000 });
  } finally {
    await server.stop();
    await rm(data, { recursive: true, force: true });
  }
}

async function createDatabase(): Promise<string> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: postgresql.url });
  await client.connect();
  const name = `memory_${randomUUID().replaceAll('-', '')}`;
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return name;
}

/** Reads the resident memory of a process and its peak, in MiB (VmRSS and VmHWM of proc_pid_status(5)). */
async function memoryOf(pid: number): Promise<{ resident: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024);
  return { resident: of('VmRSS'), peak: of('VmHWM') };
}

async function sizeOf(file: string): Promise<string> {
  return `${((await stat(file)).size / 1e6).toFixed(0)} MB`;
}

/** Sends a request by node:http, whose agent opens exactly the given number of connections. */
function send(
  server: ServerProcess,
  { agent, type, body }: { agent?: HttpAgent; type: string; body: Readable },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(server.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': type },
      ...(agent ? { agent } : {}),
    });
    request.on('response', (response) => text(response).then(resolve, reject));
    request.on('error', reject);
    pipeline(body, request).catch(reject);
  });
}

async function list(server: ServerProcess, agent: HttpAgent): Promise<void> {
  const query = '{ images(first: 20) { nodes { id prompt url } totalCount } }';
  const body = Readable.from([Buffer.from(JSON.stringify({ query }))]);
  const answer = await send(server, { agent, type: 'application/json', body });
  if (!answer.includes('"totalCount"')) throw new Error(answer);
}

async function generate(server: ServerProcess, agent: HttpAgent): Promise<void> {
  const query = `mutation { generateImage(input: { prompt: "a lake ${randomUUID()}", userId: "u" }) { images { id } userErrors { message } } }`;
  const body = Readable.from([Buffer.from(JSON.stringify({ query }))]);
  await send(server, { agent, type: 'application/json', body });
}

/** Downloads the twenty newest images. */
async function bytes(server: ServerProcess, agent: HttpAgent): Promise<void> {
  const query = '{ images(first: 20, filter: { status: SUCCESS }) { nodes { url } } }';
  const body = Readable.from([Buffer.from(JSON.stringify({ query }))]);
  const answer = await send(server, { agent, type: 'application/json', body });
  const { data } = JSON.parse(answer) as { data: { images: { nodes: { url: string }[] } } };
  for (const { url } of data.images.nodes)
    await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } }).then((response) =>
      response.arrayBuffer(),
    );
}

/** Uploads a file with a chunk that is unique, so that no two uploads have the same bytes. */
async function upload(server: ServerProcess, file: string): Promise<void> {
  const query =
    'mutation($input: UploadImageInput!) { uploadImage(input: $input) { image { sha256 } userErrors { message } } }';
  const operations = JSON.stringify({ query, variables: { input: { file: null } } });
  const part = (name: string, more = '') =>
    `--x\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const unique = makePngChunk('fxBn', Buffer.from(randomUUID()));
  async function* body() {
    yield Buffer.from(
      `${part('operations')}${operations}\r\n${part('map')}{"0":["variables.input.file"]}\r\n${part('0', '; filename="a.png"')}`,
    );
    const { size } = await stat(file);
    yield* createReadStream(file, { end: size - 13, highWaterMark: MiB });
    yield unique;
    yield makePngChunk('IEND');
    yield Buffer.from('\r\n--x--\r\n');
  }
  const answer = await send(server, { type: 'multipart/form-data; boundary=x', body: Readable.from(body()) });
  if (!answer.includes('"sha256"')) throw new Error(answer);
}

/** Writes a PNG row by row, without compression, so that the size of the file is that of its pixels. */
async function writePng(file: string, side: number): Promise<void> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  function* rowsOfPixels() {
    const row = Buffer.alloc(side * 3 + 1);
    for (let y = 0; y < side; y++) {
      for (let i = 1; i < row.length; i += 16) row[i] = (y * 31 + i * 7) & 255;
      yield Buffer.from(row);
    }
  }
  const deflate = createDeflate({ level: 0, chunkSize: MiB });
  const writing = pipeline(Readable.from(rowsOfPixels()), deflate);
  async function* chunks() {
    yield Buffer.concat([PNG_SIGNATURE, makePngChunk('IHDR', header)]);
    for await (const data of deflate) yield makePngChunk('IDAT', data as Buffer);
    yield makePngChunk('IEND');
  }
  await pipeline(Readable.from(chunks()), createWriteStream(file));
  await writing;
}
