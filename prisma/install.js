/**
 * Runs after `npm ci`: generates Prisma's client, prepares the database of the first start and builds the
 * gallery, at the same time. Prints only failures. Without the client nothing runs; without the prepared
 * database the first start takes longer; without the gallery `/` names the command that builds it.
 * JavaScript, because it must also run on a Node without type stripping.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Arguments of `npm run build`. */
const BUILD = [
  'build',
  '--config',
  fileURLToPath(new URL('../src/web/vite.config.ts', import.meta.url)),
  '--logLevel',
  'warn',
];

/** Runs Node on a file. Resolves to the exit code and the output. */
function run(file, ...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}

const has = (path) => existsSync(fileURLToPath(new URL(path, import.meta.url)));
// A layer of a container image may not have the sources yet.
const missing = (name) => ({ code: null, output: `${name} is missing` });

const [generated, prepared, built] = await Promise.all([
  run(createRequire(import.meta.url).resolve('prisma/build/index.js'), 'generate'),
  existsSync(MAIN) ? run(MAIN, 'prepare') : missing('src/main.ts'),
  has('../src/web/vite.config.ts')
    ? run(fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url)), ...BUILD)
    : missing('src/web'),
]);
if (built.code !== 0)
  process.stderr.write(
    `The gallery was not built; \`npm run build\` builds it: ${built.output.trim()}\n`,
  );
if (prepared.code !== 0)
  process.stderr.write(
    `The database for the first start was not prepared, so that start takes 10 to 20 seconds longer: ${prepared.output.trim()}\n`,
  );
if (generated.code !== 0) {
  process.stderr.write(generated.output);
  process.exitCode = 1;
}
