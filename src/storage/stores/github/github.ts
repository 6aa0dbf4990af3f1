import { Readable } from 'node:stream';
import { FixativeError, NotFoundError, StoreError } from '../../../errors.ts';
import { isKey, requireKey } from '../key.ts';
import type { BlobSource, ByteRange, ListedObject, ObjectStat, OpenObject, Store } from '../store.ts';
import { type GithubClient, type GithubOptions, openGithubClient } from './github-client.ts';
import type { GithubLocation, TreeEntry } from './github-listings.ts';
import { GithubRefusal } from './github-refusal.ts';
import { makeTreeReader, type TreeReader } from './github-tree.ts';
import { makeVisibility } from './github-visibility.ts';
import { type GithubWriter, makeGithubWriter } from './github-writer.ts';

const MiB = 1024 * 1024;

/** Largest blob of GitHub. */
const MAX_BYTES = 100 * MiB;

const RAW = 'application/vnd.github.raw+json';

export interface GithubStore extends Store {
  /**
   * Returns the URL of an object for fetches without a token, whether or not the object exists. Null if the
   * repository is private or not known to be public yet.
   */
  rawUrl(key: string): string | null;
  /** Refuses new writes, waits for those that run, and closes the connections. */
  close(): Promise<void>;
}

interface Github {
  readonly name: string;
  readonly repository: string;
  readonly location: GithubLocation;
  readonly client: GithubClient;
  readonly tree: TreeReader;
  readonly writer: GithubWriter;
  /** Resolves when the store is closed; null while it is open. */
  closed: Promise<void> | null;
}

/**
 * Opens the store without waiting for GitHub, so that a server starts while GitHub is down.
 * @throws StoreError, not retryable, if `repository`, `branch` or `directory` is not a valid name.
 */
export async function openGithubStore(options: GithubOptions): Promise<GithubStore> {
  const { name, repository } = options;
  const location = parseLocation(options);
  const client = await openGithubClient(options);
  const tree = makeTreeReader(client, location);
  const writer = makeGithubWriter(client, location, tree);
  const visibility = makeVisibility(client, location);
  const rawBase =
    options.rawUrl ?? (client.url.hostname === 'api.github.com' ? 'https://raw.githubusercontent.com' : null);
  const github: Github = { name, repository, location, client, tree, writer, closed: null };
  return {
    name,
    kind: 'github',
    maxBytes: MAX_BYTES,
    put: (key, source) => putFile(github, key, source),
    open: (key, range) => openFile(github, key, range),
    async stat(key) {
      requireKey(key);
      return send(github, 'look for', key, async () => {
        const entry = await tree.find(key);
        return entry && statOf(entry);
      });
    },
    async delete(key) {
      requireKey(key);
      await send(github, 'delete', key, async () => {
        requireOpen(github);
        await writer.delete(key);
      });
    },
    list: () => listFiles(github),
    rawUrl(key) {
      requireKey(key);
      if (rawBase === null || !visibility.isPublic()) return null;
      const { owner, repo, branch, directory } = location;
      const path = [owner, repo, branch, directory, key].join('/');
      return `${rawBase}/${path.split('/').map(encodeURIComponent).join('/')}`;
    },
    close() {
      github.closed ??= writer.settled().then(() => client.close());
      return github.closed;
    },
  };
}

/** @throws StoreError, not retryable */
function parseLocation(options: GithubOptions): GithubLocation {
  const { name, branch } = options;
  const directory = (options.directory ?? 'file-library').replace(/\/+$/, '');
  const [owner, repo] = options.repository.split('/');
  if (!owner || !repo || !/^[\w.-]+\/[\w.-]+$/.test(options.repository))
    throw unusable(name, `the repository must be given as owner/name, and not as "${options.repository}"`);
  if (!branch || /[\s~^:?*[\\]|\.\.|^\/|\/$/.test(branch))
    throw unusable(name, `"${branch}" cannot be a branch`);
  if (!isKey(directory))
    throw unusable(name, `"${directory}" cannot be a directory: it must be like file-library`);
  return { owner, repo, branch, directory };
}

function unusable(name: string, reason: string): StoreError {
  return new StoreError(`${name} cannot be opened: ${reason}.`, name, { retryable: false });
}

/** Runs a request. @throws StoreError; a FixativeError of the request passes unchanged. */
async function send<Result>(
  { name, repository, client }: Github,
  verb: string,
  subject: string,
  request: () => Promise<Result>,
): Promise<Result> {
  try {
    return await request();
  } catch (cause) {
    if (cause instanceof FixativeError) throw cause;
    const reason = client.clean(cause instanceof Error ? cause.message : String(cause));
    const message = `${name} could not ${verb} ${subject} in ${repository}: ${reason}.`;
    const retryable = !(cause instanceof GithubRefusal) || cause.retryable;
    throw new StoreError(message, name, { cause, retryable });
  }
}

function requireOpen({ closed }: Github): void {
  if (closed) throw new GithubRefusal('the store is closed', { retryable: true });
}

async function putFile(github: Github, key: string, source: BlobSource): Promise<ObjectStat> {
  requireKey(key);
  return send(github, 'keep', key, async () => {
    requireOpen(github);
    if (source.bytes > MAX_BYTES)
      throw new GithubRefusal(`it has ${source.bytes} bytes, and GitHub takes ${MAX_BYTES}`);
    return statOf(await github.writer.put(key, source));
  });
}

async function openFile(github: Github, key: string, range: ByteRange | undefined): Promise<OpenObject> {
  requireKey(key);
  const { name, client, location, tree } = github;
  return send(github, 'open', key, async () => {
    const entry = await tree.find(key);
    if (!entry) throw new NotFoundError(`${name} has no ${key}.`);
    const { status, headers, data } = await client.stream(() =>
      client.request('GET /repos/{owner}/{repo}/git/blobs/{file_sha}', {
        owner: location.owner,
        repo: location.repo,
        file_sha: entry.sha,
        headers: {
          accept: RAW,
          'accept-encoding': 'identity',
          ...(range ? { range: `bytes=${range.start}-${range.end}` } : {}),
        },
      }),
    );
    const isPartial = status === 206 && `${headers['content-range']}`.startsWith(`bytes ${range?.start}-`);
    const pieces = selectRange(data, range ?? null, { bytes: entry.bytes, isPartial });
    const stream = Readable.from(withStoreErrors(github, key, pieces), { objectMode: false });
    stream.on('close', () => data.destroy());
    return { stat: statOf(entry), stream };
  });
}

async function* withStoreErrors(
  { name, client }: Github,
  key: string,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch (cause) {
    const reason = client.clean(cause instanceof Error ? cause.message : String(cause));
    throw new StoreError(`${name} broke off while giving ${key}: ${reason}.`, name, { cause });
  }
}

/**
 * Yields the requested bytes of a whole blob, or of a partial response.
 * @throws Error if bytes are missing, or if a whole blob is longer than its entry.
 */
async function* selectRange(
  body: Readable,
  range: ByteRange | null,
  blob: { bytes: number; isPartial: boolean },
): AsyncGenerator<Buffer> {
  const wanted = range ? range.end - range.start + 1 : blob.bytes;
  let skip = range && !blob.isPartial ? range.start : 0;
  let given = 0;
  for await (const data of body as AsyncIterable<Buffer>) {
    const chunk = data.subarray(skip);
    skip -= data.length - chunk.length;
    const piece = chunk.subarray(0, wanted - given);
    given += piece.length;
    if (piece.length > 0) yield piece;
    if (range && given === wanted) return;
    if (piece.length < chunk.length) throw new Error(`more than its ${blob.bytes} bytes came`);
  }
  if (given < wanted) throw new Error(`${given} bytes came of ${wanted}`);
}

async function* listFiles(github: Github): AsyncGenerator<ListedObject> {
  const top = await send(github, 'list', 'its objects', async () => {
    const head = await github.tree.freshHead();
    return head && github.tree.findDirectory(head.tree);
  });
  if (top) yield* walkTree(github, top, '');
}

async function* walkTree(github: Github, sha: string, prefix: string): AsyncGenerator<ListedObject> {
  const { files, directories } = await send(github, 'list', 'its objects', () => github.tree.list(sha));
  for (const [path, { bytes }] of files) if (isKey(prefix + path)) yield { key: prefix + path, bytes };
  for (const [path, subtree] of directories) yield* walkTree(github, subtree, `${prefix}${path}/`);
}

function statOf({ sha, bytes }: TreeEntry): ObjectStat {
  return { bytes, fingerprint: sha };
}
