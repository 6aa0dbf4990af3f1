import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';

/**
 * A fault of a request.
 * - `hang`: no response.
 * - `reset`: the connection is reset before the request is processed.
 * - `reset-after`: the request is processed, then the connection is reset.
 * - `cut`: the connection is reset in the middle of the response.
 * - `short`: the response ends normally, but half of it is missing.
 * - A response: it is sent, and the request is not processed.
 * - A function: it runs, then the request is served as usual.
 */
export type Fault =
  | 'hang'
  | 'reset'
  | 'reset-after'
  | 'cut'
  | 'short'
  | { status: number; message?: string; headers?: Record<string, string> }
  | (() => Promise<unknown> | undefined);

export interface GithubStandIn {
  readonly apiUrl: string;
  /** Repository, as `owner/name`. */
  readonly repository: string;
  readonly branch: string;
  readonly token: string;
  /** Requests in order of arrival, as `GET /repos/…`. */
  readonly requests: string[];
  /** Sets the number of entries after which a recursive listing is truncated. */
  treeLimit: number;
  /** Makes the next `times` matching requests fail with this fault. */
  failNext(match: RegExp, fault: Fault, times?: number): void;
  /** Pushes a file of another client, without the API. Returns its path. */
  commitBehindTheBack(): Promise<string>;
  /** Runs git in the bare repository. */
  git(...args: string[]): Promise<Buffer>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

/** A response that refuses a request. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const MiB = 1024 * 1024;

/**
 * Serves the part of GitHub's REST API that a store needs, from a real bare repository, which can be cloned
 * and checked by `git`. Responses, messages and status codes are GitHub's where they are documented or known.
 *
 * Over 300 lines because its routes share one repository.
 */
export async function openGithubStandIn(
  options: { empty?: boolean; private?: boolean; branch?: string; maxBlobBytes?: number } = {},
): Promise<GithubStandIn> {
  const { branch = 'main', maxBlobBytes = 100 * MiB } = options;
  const repository = 'octocat/pictures';
  const token = 'github_pat_stand-in-0123456789';
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-github-'));
  const bare = path.join(directory, 'repository.git');
  const faults: { match: RegExp; fault: Fault; times: number }[] = [];
  const requests: string[] = [];
  let foreign = 0;

  const git = (args: readonly string[], input: Buffer | string = '', env: Record<string, string> = {}) =>
    new Promise<Buffer>((resolve, reject) => {
      const child = execFile(
        'git',
        [...args],
        {
          encoding: 'buffer',
          maxBuffer: 512 * MiB,
          env: {
            PATH: process.env.PATH,
            HOME: directory,
            GIT_DIR: bare,
            GIT_CONFIG_NOSYSTEM: '1',
            GIT_AUTHOR_NAME: 'Octocat',
            GIT_AUTHOR_EMAIL: 'octocat@example.com',
            GIT_COMMITTER_NAME: 'Octocat',
            GIT_COMMITTER_EMAIL: 'octocat@example.com',
            ...env,
          },
        },
        (error, stdout, stderr) =>
          error
            ? reject(new Error(`git ${args[0]}: ${stderr.toString().trim() || error.message}`))
            : resolve(stdout),
      );
      // After wrong arguments git does not read its input.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
    });
  const say = async (...args: string[]) => (await git(args)).toString().trim();

  // An unpacked repository has a file for each ref. Reading it is ten times as fast as starting git.
  const commitOf = (ref: string) =>
    readFile(path.join(bare, 'refs', ref), 'utf8').then(
      (line) => line.trim(),
      () => null,
    );
  const headOf = (name: string) => commitOf(`heads/${name}`);
  async function isEmpty(): Promise<boolean> {
    const entries = await readdir(path.join(bare, 'refs', 'heads'), { recursive: true, withFileTypes: true });
    return !entries.some((entry) => entry.isFile());
  }

  /** Makes a tree from another one and changes; `sha: null` removes a path. */
  async function writeTree(base: string | null, changes: readonly { path: string; sha: string | null }[]) {
    const index = { GIT_INDEX_FILE: path.join(directory, `index-${randomUUID()}`) };
    try {
      if (base) await git(['read-tree', base], '', index);
      const none = '0'.repeat(40);
      const lines = changes.map((change) =>
        change.sha ? `100644 ${change.sha}\t${change.path}\0` : `0 ${none}\t${change.path}\0`,
      );
      await git(['update-index', '-z', '--add', '--index-info'], lines.join(''), index);
      return (await git(['write-tree'], '', index)).toString().trim();
    } finally {
      await rm(index.GIT_INDEX_FILE, { force: true });
    }
  }

  async function commitTree(tree: string, message: string, parents: readonly string[]): Promise<string> {
    return say('commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-m', message);
  }

  /** Commits to a branch, as `git push` would. */
  async function pushFile(file: string, content: Buffer, name: string): Promise<void> {
    const sha = (await git(['hash-object', '-w', '--stdin'], content)).toString().trim();
    for (;;) {
      const parent = await headOf(name);
      const tree = await writeTree(parent, [{ path: file, sha }]);
      const commit = await commitTree(tree, `Add ${file}`, parent ? [parent] : []);
      const moved = await say('update-ref', `refs/heads/${name}`, commit, parent ?? '0'.repeat(40)).then(
        () => true,
        () => false,
      );
      if (moved) return;
    }
  }

  await git(['init', '--quiet', '--bare', '--initial-branch', branch, bare]);
  if (!options.empty) await pushFile('README.md', Buffer.from('Pictures.\n'), branch);

  const json = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
    status,
    body: Buffer.from(JSON.stringify(value)),
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  });

  /** Routes and their handlers, which get the parsed JSON body and the decoded captures of the path. */
  type Handler = (
    captures: readonly string[],
    request: { body: Record<string, unknown>; message: IncomingMessage; query: URLSearchParams },
  ) => Promise<Answer>;

  const routes: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
    [
      'GET',
      /^$/,
      async () =>
        json(200, { full_name: repository, private: options.private ?? true, default_branch: branch }),
    ],
    [
      'GET',
      /^\/branches\/([^/]+)$/,
      async ([name = ''], { message }) => {
        const commit = await headOf(name);
        if (!commit) throw new Refused(404, 'Branch not found');
        const etag = `W/"${createHash('sha256').update(commit).digest('hex')}"`;
        if (message.headers['if-none-match'] === etag)
          return { status: 304, body: Buffer.alloc(0), headers: { etag } };
        const tree = await say('rev-parse', `${commit}^{tree}`);
        return json(200, { name, commit: { sha: commit, commit: { tree: { sha: tree } } } }, { etag });
      },
    ],
    [
      'GET',
      /^\/git\/ref\/([^/]+)$/,
      async ([ref = '']) => {
        await refuseEmpty();
        const commit = await commitOf(ref);
        if (!commit) throw new Refused(404, 'Not Found');
        return json(200, { ref: `refs/${ref}`, object: { type: 'commit', sha: commit } });
      },
    ],
    [
      'GET',
      /^\/git\/trees\/([0-9a-f]{40})$/,
      async ([sha = ''], { query }) => {
        await refuseEmpty();
        // As with GitHub, any value makes it recursive.
        const recursive = query.has('recursive');
        const lines = await say('ls-tree', '-l', '-z', ...(recursive ? ['-r', '-t'] : []), sha).catch(() => {
          throw new Refused(404, 'Not Found');
        });
        const tree = lines
          .split('\0')
          .filter(Boolean)
          .map((line) => {
            const [facts = '', file] = line.split('\t');
            const [mode, type, name, size] = facts.split(/ +/);
            return { path: file, mode, type, sha: name, ...(type === 'blob' ? { size: Number(size) } : {}) };
          });
        const truncated = recursive && tree.length > standIn.treeLimit;
        return json(200, { sha, tree: truncated ? tree.slice(0, standIn.treeLimit) : tree, truncated });
      },
    ],
    [
      'GET',
      /^\/git\/blobs\/([0-9a-f]{40})$/,
      async ([sha = ''], { message }) => {
        const body = await git(['cat-file', 'blob', sha]).catch(() => {
          throw new Refused(404, 'Not Found');
        });
        if (/raw/.test(message.headers.accept ?? ''))
          return { status: 200, body, headers: { 'content-type': 'application/vnd.github.raw+json' } };
        return json(200, { sha, size: body.length, encoding: 'base64', content: body.toString('base64') });
      },
    ],
    [
      'POST',
      /^\/git\/blobs$/,
      async (_, { body }) => {
        await refuseEmpty();
        const content = Buffer.from(String(body.content), body.encoding === 'base64' ? 'base64' : 'utf8');
        if (content.length > maxBlobBytes) {
          const advice =
            'Consider creating the blob in a local clone of the repository and then pushing it to GitHub.';
          throw new Refused(422, `Sorry, your input was too large to process. ${advice}`);
        }
        const sha = (await git(['hash-object', '-w', '--stdin'], content)).toString().trim();
        return json(201, { sha, url: `https://example.com/${sha}` });
      },
    ],
    [
      'POST',
      /^\/git\/trees$/,
      async (_, { body }) => {
        await refuseEmpty();
        const changes = body.tree as { path: string; mode: string; type: string; sha: string | null }[];
        const base = (body.base_tree ?? null) as string | null;
        if (changes.length === 0) throw new Refused(422, 'Invalid tree info');
        // Added blobs must exist, and removed paths must be in the base tree.
        const names = changes.map(({ path: file, sha }) => sha ?? `${base}:${file}`);
        const types = (await git(['cat-file', '--batch-check=%(objecttype)'], names.join('\n')))
          .toString()
          .split('\n');
        changes.forEach(({ sha }, at) => {
          if (types[at] === 'blob') return;
          throw new Refused(422, sha ? `tree.sha ${sha} is not a valid blob` : 'GitRPC::BadObjectState');
        });
        const tree = await writeTree(base, changes);
        return json(201, { sha: tree, tree: [], truncated: false });
      },
    ],
    [
      'POST',
      /^\/git\/commits$/,
      async (_, { body }) => {
        await refuseEmpty();
        const parents = body.parents as string[];
        const sha = await commitTree(String(body.tree), String(body.message), parents).catch((error) => {
          throw new Refused(422, String(error));
        });
        return json(201, {
          sha,
          tree: { sha: body.tree },
          parents: parents.map((parent) => ({ sha: parent })),
        });
      },
    ],
    [
      'PATCH',
      /^\/git\/refs\/([^/]+)$/,
      async ([ref = ''], { body }) => {
        await refuseEmpty();
        const next = String(body.sha);
        const now = await commitOf(ref);
        if (!now) throw new Refused(422, 'Reference does not exist');
        if (!body.force) {
          await git(['merge-base', '--is-ancestor', now, next]).catch(() => {
            throw new Refused(422, 'Update is not a fast forward');
          });
        }
        await git(['update-ref', `refs/${ref}`, next, now]).catch(() => {
          throw new Refused(409, 'Conflict');
        });
        return json(200, { ref: `refs/${ref}`, object: { type: 'commit', sha: next } });
      },
    ],
    [
      'PUT',
      /^\/contents\/([^/]+)$/,
      async ([file = ''], { body }) => {
        const name = String(body.branch ?? branch);
        const parent = await headOf(name);
        if (!parent && !(await isEmpty())) throw new Refused(404, `Branch ${name} not found`);
        const there = await say('rev-parse', '--verify', '--quiet', `${parent}:${file}`).catch(() => null);
        if (there) throw new Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.');
        await pushFile(file, Buffer.from(String(body.content), 'base64'), name);
        return json(201, { content: { path: file }, commit: { sha: await headOf(name) } });
      },
    ],
  ];

  async function refuseEmpty(): Promise<void> {
    if (await isEmpty()) throw new Refused(409, 'Git Repository is empty.');
  }

  async function answer(message: IncomingMessage): Promise<Answer> {
    const url = new URL(message.url ?? '', 'http://localhost');
    const body = await buffer(message);
    // GitHub accepts both schemes.
    if (!new RegExp(`^(bearer|token) ${token}$`, 'i').test(message.headers.authorization ?? ''))
      throw new Refused(401, 'Bad credentials');
    const prefix = `/repos/${repository}`;
    if (url.pathname !== prefix && !url.pathname.startsWith(`${prefix}/`))
      throw new Refused(404, 'Not Found');
    const rest = url.pathname.slice(prefix.length);
    for (const [method, pattern, handler] of routes) {
      const match = message.method === method ? pattern.exec(rest) : null;
      if (!match) continue;
      const captures = match.slice(1).map(decodeURIComponent);
      const parsed = body.length > 0 ? JSON.parse(body.toString()) : {};
      return handler(captures, { body: parsed, message, query: url.searchParams });
    }
    throw new Refused(404, 'Not Found');
  }

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = `${message.method} ${decodeURIComponent(message.url ?? '')}`;
    requests.push(request);
    const at = faults.findIndex(({ match }) => match.test(request));
    const met = faults[at];
    if (met && --met.times === 0) faults.splice(at, 1);
    const fault = met?.fault;
    if (fault === 'hang') return;
    if (fault === 'reset') return void message.socket.resetAndDestroy();
    if (typeof fault === 'function') await fault();

    const { status, body, headers } =
      typeof fault === 'object'
        ? await buffer(message).then(() =>
            json(fault.status, { message: fault.message ?? '' }, fault.headers),
          )
        : await answer(message).catch((error) => {
            const refused = error instanceof Refused ? error : new Refused(500, String(error));
            return json(refused.status, {
              message: refused.message,
              documentation_url: 'https://docs.github.com/rest',
            });
          });
    if (fault === 'reset-after') return void message.socket.resetAndDestroy();
    const limits = { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4999' };
    const half = body.subarray(0, body.length / 2);
    if (fault === 'short') return void response.writeHead(status, { ...limits, ...headers }).end(half);
    const length = status === 304 ? {} : { 'content-length': `${body.length}` };
    response.writeHead(status, { ...limits, ...length, ...headers });
    if (fault === 'cut') return void response.write(half, () => message.socket.destroy());
    response.end(body);
  }

  const server = createServer((message, response) => {
    // A client that disconnects during its request gets no response.
    serve(message, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const standIn: GithubStandIn = {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repository,
    branch,
    token,
    requests,
    treeLimit: 100_000,
    failNext(match, fault, times = 1) {
      faults.push({ match, fault, times });
    },
    async commitBehindTheBack() {
      const file = `foreign-${++foreign}.txt`;
      await pushFile(file, Buffer.from(`${file}\n`), branch);
      return file;
    },
    git: (...args) => git(args),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return standIn;
}
