import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = path.join(ROOT, 'README.md');
const WALK = path.join(ROOT, 'docs', 'getting-started.md');

/** The blocks of a page that a reader pastes into a shell. */
const blocksOf = (page: string) =>
  [...page.matchAll(/^( *)```(?:sh|bash|shell)\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );

/**
 * Finds what an interactive zsh reads otherwise than sh. It has no comments, refuses a pattern that matches
 * no file, takes `=word` for the path of a command, and (as bash does) `!` for a word of its history. Quoted,
 * they are safe.
 */
function unsafeOf(block: string): string[] {
  const found: string[] = [];
  /** Quotes and command substitutions that are open, innermost last: `'`, `"` or `(`. */
  const within: string[] = [];
  for (let at = 0; at < block.length; at++) {
    const char = block.charAt(at);
    const state = within.at(-1);
    if (state === "'") {
      if (char === "'") within.pop();
      continue;
    }
    const line = () => block.slice(block.lastIndexOf('\n', at) + 1).split('\n', 1)[0];
    const isBare = state !== '"';
    if (char === '\\') at++;
    else if (char === '$' && block[at + 1] === '(') within.push(block.charAt(++at));
    else if (char === '$' && '?#!*'.includes(block[at + 1] ?? ' ')) at++;
    else if (char === ')' && state === '(') within.pop();
    else if (char === '"') state === '"' ? within.pop() : within.push(char);
    else if (char === "'" && isBare) within.push(char);
    else if (char === '!' && /\S/.test(block[at + 1] ?? ' ')) found.push(`${char} in ${line()}`);
    else if (isBare && '?*['.includes(char)) found.push(`${char} in ${line()}`);
    else if (isBare && '#='.includes(char) && /^$|[\s(;&|]/.test(block[at - 1] ?? ''))
      found.push(`${char} in ${line()}`);
  }
  expect(within, block).toEqual([]);
  return found;
}

test('what is unsafe in zsh is found', () => {
  for (const block of [
    'npm start  # serves\n',
    '# a comment\nnpm start\n',
    'curl http://127.0.0.1:4000/images/x?w=256\n',
    'ls data/*.png\n',
    'echo [a]\n',
    'echo "say hello!x"\n',
    'echo $(ls *.png)\n',
    'echo "$(ls *.png)"\n',
    'echo =node\n',
  ])
    expect(unsafeOf(block), block).toHaveLength(1);
  expect(
    unsafeOf(
      `A=$(grep -o 'http[^"]*' "$FILE" | head -1); f() { echo "$1?" '#' $? \\# a#b; }\ncurl "x?y=[1]" -d '{"a":"!b"}' "$(grep -oE '[0-9]*' x)"\n`,
    ),
  ).toEqual([]);
});

test('no block of the documentation has what zsh would not take', async () => {
  const pages = (await readdir(path.join(ROOT, 'docs'), { recursive: true })).filter((name) =>
    name.endsWith('.md'),
  );
  const unsafe: string[] = [];
  let count = 0;
  for (const file of [README, ...pages.map((name) => path.join(ROOT, 'docs', name))])
    for (const block of blocksOf(await readFile(file, 'utf8'))) {
      count++;
      unsafe.push(...unsafeOf(block).map((what) => `${path.basename(file)}: ${what}`));
    }
  expect(count).toBeGreaterThan(10);
  expect(unsafe).toEqual([]);
});

const find = (name: string) => [`/bin/${name}`, `/usr/bin/${name}`].find((file) => existsSync(file)) ?? '';
const SHELLS = [
  { name: 'bash', command: find('bash'), args: ['--norc', '--noprofile'] },
  // As a person types into it; a script may have comments.
  { name: 'zsh', command: find('zsh'), args: ['-f', '-i'] },
];

describe.each(SHELLS)('the commands of the documents, pasted into $name', ({ command, args }) => {
  // The README begins with the embedded database, whichever database the suite runs on.
  const run = describe.skipIf(!existsSync(command) || process.env.TEST_DATABASE_URL);

  /** The blocks of a page are pasted into one shell: what one block sets the next one uses. */
  run.each([
    { reader: 'quickly', healSeconds: '600', pause: 0 },
    { reader: 'slowly', healSeconds: '0', pause: 5000 },
  ])('$reader', ({ healSeconds, pause }) => {
    let directory: string;
    let server: ChildProcess;
    let shell: ChildProcess;
    let port: number;
    let said = '';

    beforeAll(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'fixative-readme-'));
      for (const name of ['package.json', 'node_modules', 'src', 'prisma', 'examples'])
        await symlink(path.join(ROOT, name), path.join(directory, name));
      port = await freePort();
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    const env = () => ({
      PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
      HOME: directory,
      PORT: String(port),
      HEAL_DELAY_SECONDS: healSeconds,
      MAX_EVENT_LOOP_DELAY_MILLISECONDS: '60000',
    });

    beforeEach(() => {
      said = '';
      shell = spawn(command, args, { cwd: directory, env: { ...env(), PS1: '', PS2: '' }, stdio: 'pipe' });
      for (const stream of [shell.stdout, shell.stderr])
        stream?.on('data', (chunk) => {
          said += chunk;
        });
    });
    afterEach(async () => {
      shell.kill('SIGKILL');
      server?.kill('SIGTERM');
    });

    let pasted = 0;
    async function paste(block: string): Promise<string> {
      const from = said.length;
      const end = `pasted-${pasted++}`;
      shell.stdin?.write(`${block.replaceAll('127.0.0.1:4000', `127.0.0.1:${port}`)}\necho "${end}":$?\n`);
      const done = new RegExp(`^.*${end}:(\\d+)$`, 'm');
      while (!done.test(said.slice(from))) {
        if (shell.exitCode !== null) throw new Error(`The shell ended: ${said}`);
        await sleep(25);
      }
      const [, code] = done.exec(said.slice(from)) ?? [];
      const answer = said.slice(from);
      expect(answer).not.toMatch(/command not found|no matches found|parse error|syntax error|"errors"/);
      expect([block, code, answer]).toEqual([block, '0', answer]);
      return answer;
    }

    async function start(): Promise<void> {
      server = spawn('npm', ['start'], { cwd: directory, env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      for (const stream of [server.stdout, server.stderr])
        stream?.on('data', (chunk) => {
          out += chunk;
        });
      while (!out.includes('is ready')) {
        if (server.exitCode !== null) throw new Error(out);
        await sleep(50);
      }
    }

    test('do what it says', async () => {
      const [first = '', second = '', requests = ''] = blocksOf(await readFile(README, 'utf8'));
      expect(first).toBe('npm ci && npm start\n');
      expect(second).toBe('npm ci && npm test\n');
      await start();

      const page = await readFile(WALK, 'utf8');
      const blocks = blocksOf(page);
      const below = (word: string) => {
        const found = blocks.find((block) => block.includes(word));
        if (!found) throw new Error(`No block of docs/getting-started.md has ${word}.`);
        blocks.splice(0, blocks.indexOf(found) + 1);
        return found;
      };
      await paste(below('ask() {'));
      expect(await paste(below('ask generate'))).toMatch(/"status":"SUCCESS".*"state":"STORED"/);
      await sleep(pause);
      expect(await paste(below('grep -i ^etag'))).toMatch(/^etag: "[0-9a-f]{64}"/im);
      await sleep(pause);
      const lost = await paste(below('rm "$FILE"'));
      expect(lost).toContain('the address answers with the same bytes');
      await sleep(pause);
      const restored = await paste(below('ask restore'));
      expect(restored).toContain('the file is back');
      expect(restored).toContain(`"restored":[${pause > 0 ? '' : '{"store":"filesystem","state":"STORED"'}`);
      if (pause > 0) expect(restored).toContain('"restored":[]');
      expect(restored).toMatch(/"copies":\[{"store":"filesystem","state":"STORED"/);
      expect(await paste(below('examples/upload.json'))).toMatch(
        /"mimeType":"image\/png".*"userErrors":\[\]/,
      );
      expect(await paste(below('ask list'))).toMatch(/"totalCount":1/);
      const made = await paste(below('ask create-token'));
      expect(made).toMatch(/"token":"fx_[\w-]{43}"/);
      expect(await paste(below('ask create-upload-target'))).toMatch(/"durability"|"state":"STORED"/);
      const stopped = below('fixative -- verify');
      const byCommand = below('token create');

      const answered = await paste(requests);
      expect(answered).toMatch(/"status":"SUCCESS".*"state":"STORED"/);
      expect(answered).toMatch(/"totalCount":2/);

      const ended = once(server, 'close');
      server.kill('SIGTERM');
      await ended;
      expect(await paste(stopped)).toMatch(/filesystem +\d+ +0 +0/);
      expect((await paste(byCommand)).match(/fx_[\w-]{43}/g)).toHaveLength(2);
      expect(await paste('npm run fixative\n')).toContain('Usage: fixative');
    }, 240_000);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
