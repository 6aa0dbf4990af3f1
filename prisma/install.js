/**
 * What `npm ci` makes, both at the same time: Prisma's client, without which nothing runs, and the database that a first start begins from, without which
 * that start takes longer. It says something only when one of them fails. JavaScript, because it must run where the Node of this project is not there yet.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Runs Node on a file; resolves to the exit code and what was printed. */
function run(file, ...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
      });
    child.once('error', (error) => resolve({ code: null, said: error.message }));
    child.once('close', (code) => resolve({ code, said }));
  });
}

const [generated, prepared] = await Promise.all([
  run(createRequire(import.meta.url).resolve('prisma/build/index.js'), 'generate'),
  // A layer of a container image may have no sources yet.
  existsSync(MAIN) ? run(MAIN, 'prepare') : { code: null, said: 'src/main.ts is not there' },
]);
if (prepared.code !== 0)
  process.stderr.write(
    `The database for the first start was not prepared, so that start takes 10 to 20 seconds longer: ${prepared.said.trim()}\n`,
  );
if (generated.code !== 0) {
  process.stderr.write(generated.said);
  process.exitCode = 1;
}
