/**
 * Runs the GraphQL clients that front ends use: installed into a separate project (front-end), with code
 * generated from schema.graphql, compiled by TypeScript, bundled, and run as processes against a server.
 */
import { execFile } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

const run = promisify(execFile);
const directory = fileURLToPath(new URL('front-end/', import.meta.url));
const bin = (name: string, ...words: string[]) =>
  run(process.execPath, [path.join(directory, 'node_modules', name), ...words], { cwd: directory });

/** Whether the clients are installed. They come from the registry, which may be unreachable. */
async function install(): Promise<boolean> {
  const timeOf = (file: string) =>
    stat(path.join(directory, file)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
  if ((await timeOf('node_modules/.package-lock.json')) > (await timeOf('package-lock.json'))) return true;
  try {
    await run('npm', ['ci'], { cwd: directory, timeout: 300_000, shell: process.platform === 'win32' });
    return true;
  } catch (error) {
    process.stderr.write(`The clients of front ends are not tried: ${(error as Error).message}\n`);
    return false;
  }
}

/** Skipped on PostgreSQL, where clients see no difference. */
const isInstalled = !process.env.TEST_DATABASE_URL && (await install());

describe.skipIf(!isInstalled)('a front end', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    await bin(
      '@genql/cli/dist/cli.js',
      '--schema',
      '../../../schema.graphql',
      '--output',
      'generated/genql',
      '--esm',
    );
    await mkdir(path.join(directory, 'generated', 'relay'), { recursive: true });
    await bin('relay-compiler/cli.js');
    await bin('gql.tada/bin/cli.js', 'generate-output');
  }, 300_000);
  afterAll(() => app?.close());

  /** Returns the output of a program. */
  async function seen(name: string): Promise<unknown> {
    const file = path.join(directory, 'generated', 'programs', `${name}.mjs`);
    const bundle = await rolldown({
      input: path.join(directory, `${name}.ts`),
      platform: 'node',
      logLevel: 'silent',
    });
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    const picture = await makePicture({ seed: 73_000 });
    const { stdout } = await run(process.execPath, [file], {
      cwd: directory,
      env: {
        ...process.env,
        FIXATIVE_URL: app.url,
        FIXATIVE_TOKEN: ROOT_TOKEN,
        PICTURE: picture.toString('base64'),
      },
      timeout: 60_000,
    });
    return JSON.parse(stdout);
  }

  test('compiles against the schema, with the types that each client makes of it', async () => {
    const outcome = await bin('typescript/bin/tsc', '-p', '.').then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(outcome).toBe('');
  });

  test('has GraphQL Code Generator and Apollo Client', async () => {
    expect(await seen('apollo')).toEqual({
      uploads: 3,
      merged: 3,
      node: 'SUCCESS',
      copies: 2,
      tags: ['changed'],
      last: 'SUCCESS',
      error: 'InputError',
    });
  });

  test('has urql and its normalised cache', async () => {
    expect(await seen('urql')).toEqual({
      uploads: 3,
      merged: 3,
      copies: [2, 2, 2],
      tags: ['changed'],
      last: 'SUCCESS',
      warnings: [],
    });
  });

  test('has Relay and its compiler', async () => {
    expect(await seen('relay')).toEqual({
      uploads: 3,
      first: 2,
      merged: 3,
      tags: ['changed'],
      copiesOfEach: [2, 2, 2],
      copiesInAll: 6,
      last: 'SUCCESS',
    });
  });

  test('has gql.tada', async () => {
    expect(await seen('tada')).toEqual({
      status: 'SUCCESS',
      stores: ['filesystem', 'database'],
      isTime: true,
    });
  });

  test('has genql', async () => {
    expect(await seen('genql')).toEqual({ status: 'SUCCESS', copies: 2, isListed: true, node: 'Image' });
  });

  test('has graphql-sse', async () => {
    expect(await seen('sse')).toEqual({ query: 'Query', last: 'SUCCESS' });
  });
});
