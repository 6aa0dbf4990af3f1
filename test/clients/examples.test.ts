/** Installs each folder of examples/ offline and runs it against a server over HTTP. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser } from '../browser/chromium.ts';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { type ExampleProject, installExample } from './example-project.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The packages of Apollo and Relay, which clients.test.ts installs from the registry. */
const hasFrontEnd = existsSync(path.join(ROOT, 'test/clients/front-end/node_modules/.package-lock.json'));
const python = await run('python3', ['-c', 'import sys; assert sys.version_info >= (3, 10)']).then(
  () => true,
  () => false,
);

/** Skipped on PostgreSQL, where clients see no difference. */
describe.skipIf(process.env.TEST_DATABASE_URL)('the example', () => {
  let app: TestApp;
  let env: Record<string, string>;
  let picture: Buffer;
  const projects: ExampleProject[] = [];
  beforeAll(async () => {
    app = await openTestApp();
    env = { FIXATIVE_URL: app.url, FIXATIVE_TOKEN: ROOT_TOKEN };
    picture = await makePicture({ seed: 76_000 });
  });
  afterAll(async () => {
    for (const project of projects) await project.remove();
    await app?.close();
  });

  async function install(name: string, without?: readonly string[]): Promise<ExampleProject> {
    const project = await installExample(name, without);
    projects.push(project);
    await writeFile(path.join(project.directory, 'picture.png'), picture);
    return project;
  }

  /** Runs the scripts before `start`, then `start`, and returns what it prints as JSON. */
  async function start(project: ExampleProject, ...before: string[]): Promise<unknown> {
    for (const script of before) await project.script(script, env);
    return JSON.parse(await project.script('start', env, 'picture.png'));
  }

  const stored = () => ({ sha256: createHash('sha256').update(picture).digest('hex') });

  test('node-service generates and lists, with types', async () => {
    const project = await install('node-service');
    expect(await start(project, 'codegen', 'check')).toEqual({
      status: 'SUCCESS',
      url: expect.stringContaining(`${app.url}/images/`),
      prompts: ['a fox in the snow'],
    });
    // The types are those of the schema: a field that it does not have is an error.
    const file = path.join(project.directory, 'main.ts');
    await writeFile(file, (await readFile(file, 'utf8')).replace('made?.status', 'made?.state'));
    await expect(project.script('check', env)).rejects.toThrow("Property 'state' does not exist");
  });

  test('python generates, uploads, lists, and reports a refusal', async (context) => {
    if (!python) return context.skip();
    const { directory } = await install('python');
    const options = { cwd: directory, env: { ...process.env, ...env }, timeout: 60_000 };
    const { stdout } = await run('python3', ['main.py', 'picture.png'], options);
    expect(JSON.parse(stdout)).toEqual({
      status: 'SUCCESS',
      uploaded: 'SUCCESS',
      prompts: ['uploaded', 'a fox in the snow'],
      refused: expect.stringMatching(/^[A-Z_]+$/),
    });
  });

  test('upload-fetch uploads without a package', async () => {
    const { data } = (await start(await install('upload-fetch'))) as { data: { uploadImage: object } };
    expect(data.uploadImage).toMatchObject({ image: stored(), userErrors: [] });
  });

  test('upload-urql uploads, with types', async () => {
    const seen = await start(await install('upload-urql'), 'codegen', 'check');
    expect(seen).toMatchObject({ image: { ...stored(), tags: ['example'] }, userErrors: [] });
  });

  test.skipIf(!hasFrontEnd)('upload-apollo uploads, with types', async () => {
    const seen = await start(await install('upload-apollo'), 'codegen', 'check');
    expect(seen).toMatchObject({ image: { ...stored(), tags: ['example'] }, userErrors: [] });
  });

  test.each(['events-graphql-sse', 'events-event-source'])(
    '%s follows a generation to its end',
    async (name) => {
      expect(await start(await install(name), 'check')).toEqual({
        last: 'SUCCESS',
        url: expect.stringContaining(`${app.url}/images/`),
      });
    },
  );

  test.skipIf(!hasFrontEnd)(
    'relay walks through a connection, and a mutation changes its store',
    async () => {
      const project = await install('relay');
      await copyFile(path.join(ROOT, 'schema.graphql'), path.join(project.directory, 'schema.graphql'));
      expect(await start(project, 'codegen', 'check')).toEqual({
        prompts: ['three', 'two', 'one'],
        tags: ['changed'],
      });
    },
  );

  test('next has a loader whose addresses the server serves, and lists images on the server', async () => {
    const project = await install('next', ['next', 'typescript']);
    const { image } = await upload(app, {
      content: await makePicture({ seed: 76_001, width: 90, height: 60 }),
    });
    await upload(app, { content: await makePicture({ seed: 76_002 }) }, { visibility: 'PRIVATE' });
    const program = `
      const { default: load } = await import('./image-loader.ts');
      const { listImages } = await import('./fixative.ts');
      const listed = await listImages();
      const src = ${JSON.stringify(image?.url)};
      // Some of the default deviceSizes and imageSizes of Next.js 16.
      const widths = [32, 48, 64, 384, 828, 3840];
      const signed = src + '?expires=1&signature=x';
      const seen = [];
      for (const width of widths) {
        const response = await fetch(load({ src, width }), { headers: { accept: 'image/webp,*/*' } });
        seen.push([response.status, response.headers.get('content-type')].join(' '));
      }
      console.log(JSON.stringify({
        seen: [...new Set(seen)], isSame: load({ src: signed, width: 64 }) === signed,
        urls: listed.map(({ url }) => url).includes(src), count: listed.length > 0,
      }));`;
    const file = path.join(project.directory, 'program.ts');
    await writeFile(file, program);
    const { stdout } = await run(process.execPath, [file], {
      cwd: project.directory,
      env: { ...process.env, ...env },
    });
    expect(JSON.parse(stdout)).toEqual({ seen: ['200 image/webp'], isSame: true, urls: true, count: true });
  });

  test('vite-react builds, and its page on another origin shows the images', async (context) => {
    if (!CHROMIUM) return context.skip();
    const project = await install('vite-react');
    const { image } = await upload(
      app,
      { content: await makePicture({ seed: 76_003 }) },
      { prompt: 'A seen one' },
    );
    for (const script of ['download', 'codegen', 'check']) await project.script(script, env);
    await project.script('build', { VITE_FIXATIVE_URL: app.url, VITE_FIXATIVE_TOKEN: ROOT_TOKEN });
    const pages = createServer(async (request, response) => {
      const name = request.url === '/' ? 'index.html' : (request.url ?? '').replaceAll('..', '');
      const content = await readFile(path.join(project.directory, 'dist', name)).catch(() => null);
      const type = name.endsWith('.js') ? 'text/javascript' : 'text/html';
      response.writeHead(content ? 200 : 404, { 'content-type': type }).end(content);
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const opened = await openBrowser();
    try {
      const page = await opened.browser.newPage();
      await page.goto(`http://localhost:${(pages.address() as AddressInfo).port}/`);
      const shown = page.locator('[data-state=stored] img[alt="A seen one"]');
      await shown.waitFor({ timeout: 30_000 });
      expect(await shown.evaluate((each: HTMLImageElement) => each.currentSrc)).toContain(image?.url);
    } finally {
      await opened.close();
      pages.close();
    }
  });

  test('has a README, and a link in docs/clients.md', async () => {
    const folders = (await readdir(path.join(ROOT, 'examples'), { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(folders.length).toBeGreaterThan(8);
    const clients = await readFile(path.join(ROOT, 'docs/clients.md'), 'utf8');
    for (const name of folders) {
      expect(clients, `docs/clients.md does not name examples/${name}`).toContain(`(../examples/${name})`);
      expect(existsSync(path.join(ROOT, 'examples', name, 'README.md')), name).toBe(true);
    }
  });
});
