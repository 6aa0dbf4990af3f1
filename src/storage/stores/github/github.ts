import { Readable } from 'node:stream';
import { FixativeError, NotFoundError, StoreError } from '../../../errors.ts';
import type { ByteRange, ListedObject, ObjectStat, Store } from '../store.ts';
import { type GithubOptions, openClient, Refusal } from './github-client.ts';
import { type Entry, makeTreeReader, type Place } from './github-tree.ts';
import { makeVisibility, makeWriter } from './github-writer.ts';

const MiB = 1024 * 1024;

/** What GitHub takes and gives as one blob. */
const MAX_BYTES = 100 * MiB;

const RAW = 'application/vnd.github.raw+json';

export interface GithubStore extends Store {
  /**
   * Where anybody can fetch the object without a token, whether or not it is there. Null when the repository is private, or
   * not yet known to be public: GitHub is asked behind the call, every few minutes.
   */
  rawUrl(key: string): string | null;
  /** Takes nothing more, waits for what is being written, and closes the connections. */
  close(): Promise<void>;
}

/**
 * Opens the store without asking GitHub anything that is waited for: a server must start while GitHub is down.
 * @throws StoreError, not retryable, when `repository`, `branch` or `directory` cannot be names of such.
 */
export async function openGithubStore(options: GithubOptions): Promise<GithubStore> {
  const { name, branch } = options;
  const directory = (options.directory ?? 'file-library').replace(/\/+$/, '');
  const [owner, repo] = options.repository.split('/');
  if (!owner || !repo || !/^[\w.-]+\/[\w.-]+$/.test(options.repository))
    throw unusable(name, `the repository must be given as owner/name, and not as "${options.repository}"`);
  if (!branch || /[\s~^:?*[\\]|\.\.|^\/|\/$/.test(branch))
    throw unusable(name, `"${branch}" cannot be a branch`);
  if (!isKey(directory))
    throw unusable(name, `"${directory}" cannot be a directory: it must be like file-library`);

  const client = await openClient(options);
  const place: Place = { owner, repo, branch, directory };
  const tree = makeTreeReader(client, place);
  const writer = makeWriter(client, place, tree);
  const visibility = makeVisibility(client, place);
  const rawBase =
    options.rawUrl ?? (client.url.hostname === 'api.github.com' ? 'https://raw.githubusercontent.com' : null);
  let closed: Promise<void> | null = null;

  async function asked<Result>(verb: string, subject: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask();
    } catch (cause) {
      if (cause instanceof FixativeError) throw cause;
      const reason = client.clean(cause instanceof Error ? cause.message : String(cause));
      const message = `${name} could not ${verb} ${subject} in ${options.repository}: ${reason}.`;
      const retryable = !(cause instanceof Refusal) || cause.retryable;
      throw new StoreError(message, name, { cause, retryable });
    }
  }

  async function* walk(sha: string, prefix: string): AsyncGenerator<ListedObject> {
    const { files, directories } = await asked('list', 'its objects', () => tree.list(sha));
    for (const [path, { bytes }] of files) if (isKey(prefix + path)) yield { key: prefix + path, bytes };
    for (const [path, subtree] of directories) yield* walk(subtree, `${prefix}${path}/`);
  }

  return {
    name,
    kind: 'github',
    maxBytes: MAX_BYTES,

    async put(key, source) {
      checkKey(key);
      return asked('keep', key, async () => {
        if (closed) throw new Refusal('the store is closed', { retryable: true });
        if (source.bytes > MAX_BYTES)
          throw new Refusal(`it has ${source.bytes} bytes, and GitHub takes ${MAX_BYTES}`);
        return statOf(await writer.put(key, source));
      });
    },

    async open(key, range) {
      checkKey(key);
      return asked('open', key, async () => {
        const entry = await tree.find(key);
        if (!entry) throw new NotFoundError(`${name} has no ${key}.`);
        const { status, headers, data } = await client.stream(() =>
          client.request('GET /repos/{owner}/{repo}/git/blobs/{file_sha}', {
            owner,
            repo,
            file_sha: entry.sha,
            headers: {
              accept: RAW,
              'accept-encoding': 'identity',
              ...(range ? { range: `bytes=${range.start}-${range.end}` } : {}),
            },
          }),
        );
        const partial = status === 206 && `${headers['content-range']}`.startsWith(`bytes ${range?.start}-`);
        const pieces = cut(data, range ?? null, { ...entry, partial });
        const stream = Readable.from(
          (async function* () {
            try {
              yield* pieces;
            } catch (cause) {
              const reason = client.clean(cause instanceof Error ? cause.message : String(cause));
              throw new StoreError(`${name} broke off while giving ${key}: ${reason}.`, name, { cause });
            }
          })(),
          { objectMode: false },
        );
        stream.on('close', () => data.destroy());
        return { stat: statOf(entry), stream };
      });
    },

    async stat(key) {
      checkKey(key);
      return asked('look for', key, async () => {
        const entry = await tree.find(key);
        return entry && statOf(entry);
      });
    },

    async delete(key) {
      checkKey(key);
      await asked('delete', key, async () => {
        if (closed) throw new Refusal('the store is closed', { retryable: true });
        await writer.delete(key);
      });
    },

    async *list() {
      const top = await asked('list', 'its objects', async () => {
        const head = await tree.freshHead();
        return head && tree.descend(head.tree);
      });
      if (top) yield* walk(top, '');
    },

    rawUrl(key) {
      checkKey(key);
      if (rawBase === null || !visibility.isPublic()) return null;
      const path = [owner, repo, branch, directory, key].join('/');
      return `${rawBase}/${path.split('/').map(encodeURIComponent).join('/')}`;
    },

    close() {
      closed ??= writer.settled().then(() => client.close());
      return closed;
    },
  };
}

function statOf({ sha, bytes }: Entry): ObjectStat {
  return { bytes, fingerprint: sha };
}

function unusable(name: string, reason: string): StoreError {
  return new StoreError(`${name} cannot be opened: ${reason}.`, name, { retryable: false });
}

function isKey(key: string): boolean {
  return /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(key);
}

/** Keys are ours, made of a hash; whatever else comes is a defect, and stops here. */
function checkKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`Not a key: ${JSON.stringify(key)}`);
}

/**
 * Gives the wanted bytes out of a whole blob, or out of the part that was asked for, and ends in an error when they do not
 * all come, or when a whole blob is longer than its entry says.
 */
async function* cut(
  body: Readable,
  range: ByteRange | null,
  blob: { bytes: number; partial: boolean },
): AsyncGenerator<Buffer> {
  const wanted = range ? range.end - range.start + 1 : blob.bytes;
  let skip = range && !blob.partial ? range.start : 0;
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
