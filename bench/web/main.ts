/**
 * `npm run bench:web [-- --rows 10000] [--images 100000]`: what a browser measures of the gallery, over
 * images generated for the run. The first view and interactions are measured at a quarter of the speed of the
 * CPU, scrolling at full speed. The server, which renders each thumbnail, and PostgreSQL run on the same
 * machine.
 *
 * Compare machines with care: Chromium paints without a graphics card here.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CHROMIUM, openBrowser } from '../../test/browser/chromium.ts';
import { startPostgresql } from '../../test/postgresql.ts';
import { startServer } from '../servers.ts';
import { type Line, measureFirstView, measureInteractions, measureScrolling } from './measure.ts';
import { seedGallery } from './seed.ts';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '100000' },
    rows: { type: 'string', default: '10000' },
  },
});
const TOKEN = 'root-token-of-the-benchmark';
const note = (text: string) => void process.stderr.write(`${text}\n`);

if (!CHROMIUM || !existsSync(new URL('../../dist/web/index.html', import.meta.url)))
  throw new Error('The benchmark needs Chromium and the built gallery (`npm run build`).');

const directory = await mkdtemp(path.join(tmpdir(), 'fixative-web-'));
const postgresql = await startPostgresql();
try {
  const server = await startServer(['src/main.ts', 'serve'], {
    directory,
    env: {
      DATABASE_URL: postgresql.url,
      DATA_DIR: directory,
      FIXATIVE_ROOT_TOKEN: TOKEN,
      LOG_LEVEL: 'error',
      PORT: '0',
      // One browser asks for more images a minute than a stranger may.
      RATE_LIMIT_PER_ADDRESS: 'off',
    },
  });
  try {
    note(`Making ${values.images} images …`);
    await seedGallery({ url: server.url, token: TOKEN, databaseUrl: postgresql.url }, Number(values.images));
    const { browser, close } = await openBrowser();
    try {
      const subject = { browser, url: new URL('/', server.url), token: TOKEN };
      const print = (lines: readonly Line[]) => {
        for (const [name, value] of lines) process.stdout.write(`| ${name} | ${value} |\n`);
      };
      process.stdout.write('| measure | value |\n|---|---|\n');
      print(await measureFirstView(subject));
      print(await measureInteractions(subject));
      print(await measureScrolling(subject, Number(values.rows), note));
    } finally {
      await close();
    }
  } finally {
    await server.stop();
  }
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true, force: true });
}
