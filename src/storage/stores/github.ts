/**
 * A branch of a GitHub repository, one file an object, below one directory, so that `git clone` is a whole backup and anybody
 * who may see the repository sees the images. Everything goes through the REST API for git objects.
 *
 * Writing is two steps. Each file is uploaded as a git blob, streamed as base64 and proven: the name that GitHub gives it must
 * be the one that was computed on the way. Then a commit makes it part of the branch. All that is waiting goes into one
 * commit, and one commit is made at a time; the branch is moved only forward from the commit that the new one was built on
 * (`force: false`), so another writer is met as a refusal and built upon, never overwritten. A put is acknowledged when the branch
 * has moved. What was uploaded and never committed is rubbish that GitHub collects.
 *
 * Reading starts at the branch's head. A tree never changes under its name, so listings are kept by name and only the head
 * is asked for again; and absence is never said from memory, but by a head that was read after the question.
 *
 * GitHub's limits shape the rest: 5000 requests an hour and about 80 a minute that create something, listings that are cut
 * (`truncated`), 100 MB a file. A limit that passes in seconds is waited for; until another has passed, nothing is asked.
 * @see https://docs.github.com/en/rest/git
 * @see https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Octokit } from '@octokit/core';
import type * as Undici from 'undici';
import { FixativeError, NotFoundError, StoreError } from '../../errors.ts';
import type { BlobSource, ByteRange, ListedObject, ObjectStat, Store } from './store.ts';

const MiB = 1024 * 1024;

/** What GitHub takes and gives as one blob. */
const MAX_BYTES = 100 * MiB;
/** Uploads at a time. GitHub asks for few; each holds one piece of its file in memory. */
const MAX_UPLOADS = 4;
const MAX_BATCH_FILES = 100;
const MAX_BATCH_BYTES = 256 * MiB;
/** How long a commit waits for uploads that are under way, so that they share it. */
const GATHER_MS = 1000;
/** How long the head that was read last is believed about what is there; never about what is not. */
const HEAD_MS = 3000;
/** For how long GitHub's replicas may still show a head from which we have moved the branch on. */
const REPLICA_MS = 60_000;
const MAX_LISTED = 200_000;
const MAX_OVERLAY = 1000;
const REQUEST_ATTEMPTS = 4;
const COMMIT_ATTEMPTS = 8;
/** A limit that passes within this time is waited for; a longer one is the caller's to wait for. */
const PATIENCE_SECONDS = 5;
const VISIBILITY_MS = 5 * 60_000;

const RAW = 'application/vnd.github.raw+json';

export interface GithubOptions {
  readonly name: string;
  /** Needs read and write of the repository's contents, and nothing else. */
  readonly token: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Must be there, except in a repository without any commit, where the first put makes it. */
  readonly branch: string;
  /** Where in the repository the keys live. Default `file-library`. */
  readonly directory?: string;
  /** Default `https://api.github.com`; a GitHub Enterprise Server has `https://HOST/api/v3`. */
  readonly apiUrl?: string;
  /** Where public repositories show their files; null where nowhere. Default that of github.com, for its API alone. */
  readonly rawUrl?: string | null;
  /** The longest silence: to connect, for an answer to begin, between two of its pieces. Default 30. */
  readonly timeoutSeconds?: number;
}

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

/** Where the objects are. */
interface Place {
  readonly owner: string;
  readonly repo: string;
  readonly branch: string;
  readonly directory: string;
}

/** A file in a tree: its git name, which is the SHA-1 of its length and bytes, and its length. */
interface Entry {
  readonly sha: string;
  readonly bytes: number;
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

// ── The branch as it is ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * What the branch points to. What is in it is the listing of `base`, changed by `changes`: those are the commits that this
 * process has made since `base`, so that none of them costs a new listing.
 */
interface Head {
  readonly commit: string;
  readonly tree: string;
  readonly base: string;
  readonly changes: ReadonlyMap<string, Entry | null>;
}

interface Listing {
  readonly files: ReadonlyMap<string, Entry>;
  /** The trees that must be listed one by one, because a listing of everything below was cut. */
  readonly directories: ReadonlyMap<string, string>;
}

interface TreeReader {
  /** The head as GitHub has it now; null when the repository answers that it has no commit at all. */
  freshHead(): Promise<Head | null>;
  /** Records where this process has moved the branch. */
  advance(parent: Head, commit: string, tree: string, changes: ReadonlyMap<string, Entry | null>): void;
  find(key: string): Promise<Entry | null>;
  findIn(head: Head, key: string): Promise<Entry | null>;
  list(tree: string): Promise<Listing>;
  /** The tree of the directory in which the keys live, below the root of a commit; null when there is none. */
  descend(root: string): Promise<string | null>;
}

function makeTreeReader(client: Client, { owner, repo, branch, directory }: Place): TreeReader {
  let head: Head | null = null;
  let readAt = 0;
  let seen: { etag: string; commit: string; tree: string } | null = null;
  let reading: Promise<Head | null> | null = null;
  let following: Promise<Head | null> | null = null;
  /** Commits from which this process has moved the branch on, and when. */
  const left = new Map<string, number>();
  /** By the name of the tree, the oldest use first. */
  const listings = new Map<string, { listing: Promise<Listing>; size: number }>();
  let listed = 0;

  /** Takes what GitHub says for the head, unless it says what it said before we moved the branch. */
  function accept(commit: string, tree: string): Head {
    readAt = Date.now();
    const stale = head !== null && Date.now() - (left.get(commit) ?? 0) < REPLICA_MS;
    if (head && (stale || head.commit === commit)) return head;
    head = { commit, tree, base: tree, changes: new Map() };
    return head;
  }

  async function readHead(): Promise<Head | null> {
    const before = head ? seen : null;
    try {
      const { data, headers } = await client.ask(() =>
        client.request('GET /repos/{owner}/{repo}/branches/{branch}', {
          owner,
          repo,
          branch,
          // An answer that nothing has changed costs nothing of the limit.
          headers: before ? { 'if-none-match': before.etag } : {},
        }),
      );
      const [commit, tree] = [data.commit.sha, data.commit.commit.tree.sha];
      seen = headers.etag ? { etag: headers.etag, commit, tree } : null;
      return accept(commit, tree);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 304 && before) return accept(before.commit, before.tree);
      if (error.status !== 404 || !/branch/i.test(error.said)) throw error;
      if (!head && (await isEmpty())) return null;
      const away = head ? 'any more: it may have been renamed or deleted' : '';
      throw new Refusal(
        `the repository has no branch ${branch}${away && ` ${away}`}; create it, or name the right one`,
        {
          cause: error,
        },
      );
    }
  }

  /** Whether the repository says itself that it has no commit. A branch that is merely not there is no such answer. */
  async function isEmpty(): Promise<boolean> {
    try {
      await client.ask(() =>
        client.request('GET /repos/{owner}/{repo}/git/ref/{ref}', { owner, repo, ref: `heads/${branch}` }),
      );
      return false;
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return false;
      if (error instanceof Refusal && saysEmpty(error)) return true;
      throw error;
    }
  }

  function startReading(): Promise<Head | null> {
    const started = readHead().finally(() => {
      if (reading === started) reading = null;
    });
    reading = started;
    return started;
  }

  /** Many may share one answer, but only one that was asked for after they came. */
  function freshHead(): Promise<Head | null> {
    if (!reading) return startReading();
    following ??= reading
      .catch(() => null)
      .then(() => {
        following = null;
        return startReading();
      });
    return following;
  }

  async function fetchListing(sha: string, recursive: boolean): Promise<Listing> {
    const { data } = await client.ask(() =>
      client.request('GET /repos/{owner}/{repo}/git/trees/{tree_sha}', {
        owner,
        repo,
        tree_sha: sha,
        ...(recursive ? { recursive: '1' } : {}),
      }),
    );
    if (data.truncated && recursive) return fetchListing(sha, false);
    if (data.truncated) throw new Refusal(`GitHub does not list the whole directory ${sha}: it is too large`);
    const files = new Map<string, Entry>();
    const directories = new Map<string, string>();
    for (const { type, mode, path = '', sha = '', size = 0 } of data.tree) {
      if (type === 'tree' && !recursive) directories.set(path, sha);
      // Neither symbolic links nor submodules are objects.
      if (type === 'blob' && mode?.startsWith('100')) files.set(path, { sha, bytes: size });
    }
    return { files, directories };
  }

  /** Of everything below the tree where GitHub lists that, else (and when not `recursive`) of the tree alone. */
  function list(sha: string, recursive = true): Promise<Listing> {
    const name = recursive ? sha : `${sha} alone`;
    const known = listings.get(name);
    if (known) {
      listings.delete(name);
      listings.set(name, known);
      return known.listing;
    }
    const kept = { listing: fetchListing(sha, recursive), size: 0 };
    listings.set(name, kept);
    kept.listing.then(
      ({ files, directories }) => {
        kept.size = 1 + files.size + directories.size;
        listed += kept.size;
        for (const [oldest, { size }] of listings) {
          if (listed <= MAX_LISTED || oldest === name) break;
          listings.delete(oldest);
          listed -= size;
        }
      },
      () => listings.delete(name),
    );
    return kept.listing;
  }

  async function descend(root: string): Promise<string | null> {
    let tree: string | undefined = root;
    for (const segment of directory.split('/')) {
      const above: Listing = await list(tree, false);
      tree = above.directories.get(segment);
      if (!tree) return null;
    }
    return tree;
  }

  async function findIn(at: Head, key: string): Promise<Entry | null> {
    const changed = at.changes.get(key);
    if (changed !== undefined) return changed;
    let tree = await descend(at.base);
    for (let rest = key; tree; ) {
      const { files, directories } = await list(tree);
      const found = files.get(rest);
      if (found) return found;
      const slash = rest.indexOf('/');
      tree = directories.get(rest.slice(0, slash)) ?? null;
      rest = rest.slice(slash + 1);
    }
    return null;
  }

  return {
    freshHead,
    list,
    descend,
    findIn,

    async find(key) {
      if (head && Date.now() - readAt < HEAD_MS) {
        const found = await findIn(head, key);
        if (found) return found;
      }
      const fresh = await freshHead();
      return fresh && findIn(fresh, key);
    },

    advance(parent, commit, tree, changes) {
      const now = Date.now();
      for (const [old, at] of left) if (now - at > REPLICA_MS) left.delete(old);
      left.set(parent.commit, now);
      left.delete(commit);
      readAt = now;
      const all = new Map([...parent.changes, ...changes]);
      head =
        all.size <= MAX_OVERLAY
          ? { commit, tree, base: parent.base, changes: all }
          : { commit, tree, base: tree, changes: new Map() };
    },
  };
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One file that shall be so: an entry, or none. */
interface Change {
  readonly key: string;
  readonly entry: Entry | null;
  done(): void;
  failed(error: unknown): void;
}

interface Writer {
  put(key: string, source: BlobSource): Promise<Entry>;
  delete(key: string): Promise<void>;
  /** When nothing is under way any more, however it ended. */
  settled(): Promise<void>;
}

function makeWriter(client: Client, place: Place, tree: TreeReader): Writer {
  const { owner, repo, branch, directory } = place;
  const waiting: Change[] = [];
  const underWay = new Set<Promise<unknown>>();
  /** Puts that have not yet come to wait for their commit. */
  let uploads = 0;
  let pumping = false;
  let beginning: Promise<void> | null = null;
  const admit = makeGate(MAX_UPLOADS);

  /** Resolves when the branch has moved to a commit in which it is so. */
  function become(key: string, entry: Entry | null): Promise<void> {
    return new Promise((done, failed) => {
      waiting.push({ key, entry, done, failed });
      if (!pumping) void pump();
    });
  }

  async function pump(): Promise<void> {
    pumping = true;
    while (waiting.length > 0) {
      const until = Date.now() + GATHER_MS;
      while (uploads > 0 && waiting.length < MAX_BATCH_FILES && Date.now() < until) await sleep(10);
      const batch = takeBatch(waiting);
      try {
        await commit(batch);
        for (const change of batch) change.done();
      } catch (error) {
        for (const change of batch) change.failed(error);
      }
    }
    pumping = false;
  }

  async function commit(batch: readonly Change[]): Promise<void> {
    // The last word on a key is the one that counts.
    const changes = new Map(batch.map(({ key, entry }) => [key, entry]));
    for (let attempt = 1; ; attempt++) {
      const parent = await tree.freshHead();
      if (parent) {
        const refusal = await tryCommit(parent, changes);
        if (!refusal) return;
        if (attempt === COMMIT_ATTEMPTS) throw refusal;
      } else if (![...changes.values()].some((entry) => entry)) {
        return;
      } else if (attempt < COMMIT_ATTEMPTS) {
        await begin();
      } else {
        throw new Refusal('the repository is empty; make its first commit', { retryable: true });
      }
      await sleep(jitter(attempt, 8000));
    }
  }

  /** Null when the branch has what was wanted; else why not, when that may be because the branch has moved. */
  async function tryCommit(
    parent: Head,
    changes: ReadonlyMap<string, Entry | null>,
  ): Promise<Refusal | null> {
    const entries: { path: string; mode: '100644'; type: 'blob'; sha: string | null }[] = [];
    for (const [key, entry] of changes) {
      // GitHub refuses a tree from which a file shall go that is not there.
      if (entry || (await tree.findIn(parent, key)))
        entries.push({ path: `${directory}/${key}`, mode: '100644', type: 'blob', sha: entry?.sha ?? null });
    }
    if (entries.length === 0) return null;
    try {
      const made = await client.ask(() =>
        client.request('POST /repos/{owner}/{repo}/git/trees', {
          owner,
          repo,
          base_tree: parent.tree,
          tree: entries,
        }),
      );
      const root = made.data.sha;
      // Nothing to do; or all done, when the branch was moved by us and the answer did not arrive.
      if (root === parent.tree) return null;
      const { data } = await client.ask(() =>
        client.request('POST /repos/{owner}/{repo}/git/commits', {
          owner,
          repo,
          message: messageOf(changes),
          tree: root,
          parents: [parent.commit],
        }),
      );
      await client.ask(() =>
        client.request('PATCH /repos/{owner}/{repo}/git/refs/{ref}', {
          owner,
          repo,
          ref: `heads/${branch}`,
          sha: data.sha,
          force: false,
        }),
      );
      tree.advance(parent, data.sha, root, changes);
      return null;
    } catch (error) {
      if (!(error instanceof Refusal) || (error.status !== 409 && error.status !== 422)) throw error;
      // The last two are of a replica that does not have yet what was made a moment ago.
      const passing = /fast.?forward|reference does not exist|not a valid|badobject/i;
      if (error.status === 409 || passing.test(error.said)) return error;
      // A refusal in other words is a lost race when the head is another by now; a rule of the repository says no again.
      const now = await tree.freshHead();
      if (now?.commit === parent.commit) throw error;
      return error;
    }
  }

  /**
   * Makes the first commit of an empty repository. Only the API for contents can: the one for git objects answers 409 there.
   * A branch that is missing beside others is never made, for it may have been renamed with all that is in it.
   */
  function begin(): Promise<void> {
    beginning ??= client
      .ask(() =>
        client.request('PUT /repos/{owner}/{repo}/contents/{path}', {
          owner,
          repo,
          branch,
          path: `${directory}/.gitkeep`,
          message: `Begin ${directory}`,
          content: Buffer.from('Fixative keeps images here.\n').toString('base64'),
        }),
      )
      .then(
        () => {},
        (error) => {
          // Another process was first.
          if (!(error instanceof Refusal) || (error.status !== 409 && error.status !== 422)) throw error;
        },
      )
      .finally(() => {
        beginning = null;
      });
    return beginning;
  }

  async function upload(source: BlobSource): Promise<Entry> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await uploadOnce(source);
      } catch (error) {
        if (!(error instanceof Refusal) || !saysEmpty(error) || attempt === 3) throw error;
        // Asking for the head makes sure that "empty" is not said of a branch that was there before.
        if ((await tree.freshHead()) === null) await begin();
        await sleep(jitter(attempt, 1000));
      }
    }
  }

  async function uploadOnce(source: BlobSource): Promise<Entry> {
    let sent = '';
    const { data } = await client.ask(async () => {
      const body = makeBase64Body(source);
      try {
        const answer = await client.request(`POST /repos/${owner}/${repo}/git/blobs`, {
          data: body.pieces,
          headers: { 'content-type': 'application/json', 'content-length': body.length },
        });
        sent = body.sha();
        return answer;
      } catch (error) {
        const cause = body.fault();
        throw cause ? new Refusal(cause.message, { retryable: true, again: false, cause }) : error;
      } finally {
        body.close();
      }
    });
    const { sha } = data as { sha: string };
    if (sha !== sent) throw new Error(`GitHub keeps it as ${sha}, and it is ${sent}`);
    return { sha, bytes: source.bytes };
  }

  function followed<Result>(work: Promise<Result>): Promise<Result> {
    underWay.add(work);
    const forget = () => underWay.delete(work);
    work.then(forget, forget);
    return work;
  }

  return {
    put: (key, source) =>
      followed(
        (async () => {
          uploads++;
          const entry = await admit(() => upload(source)).finally(() => uploads--);
          await become(key, entry);
          return entry;
        })(),
      ),
    delete: (key) => followed(become(key, null)),
    async settled() {
      await Promise.allSettled(underWay);
    },
  };
}

/** Takes from the front as much as goes into one commit, and at least one. */
function takeBatch(waiting: Change[]): Change[] {
  let bytes = 0;
  let count = 0;
  for (const { entry } of waiting) {
    bytes += entry?.bytes ?? 0;
    if (count === MAX_BATCH_FILES || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
    count++;
  }
  return waiting.splice(0, count);
}

function messageOf(changes: ReadonlyMap<string, Entry | null>): string {
  const kept = [...changes].filter(([, entry]) => entry).map(([key]) => key);
  const gone = [...changes].filter(([, entry]) => !entry).map(([key]) => key);
  const say = (verb: string, keys: string[]) =>
    keys.length === 0 ? [] : [`${verb} ${keys.length === 1 ? keys[0] : `${keys.length} files`}`];
  const message = [...say('keep', kept), ...say('delete', gone)].join(', ');
  return message.charAt(0).toUpperCase() + message.slice(1);
}

interface Base64Body {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Of the whole body, in bytes. */
  readonly length: number;
  /** The name that git gives the bytes that were sent. */
  sha(): string;
  /** What was wrong with the source. Whoever sends the body only says that it broke off. */
  fault(): Error | null;
  close(): void;
}

/** The request that makes a blob, piece by piece: only here are the bytes in memory, one piece at a time. */
function makeBase64Body(source: BlobSource): Base64Body {
  const [before, after] = ['{"encoding":"base64","content":"', '"}'];
  const hash = createHash('sha1').update(`blob ${source.bytes}\0`);
  let stream: Readable | null = null;
  let fault: Error | null = null;

  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      stream = source.open();
      yield Buffer.from(before);
      // Three bytes are four letters, so what is left over of a piece goes before the next.
      let rest: Buffer = Buffer.alloc(0);
      let bytes = 0;
      for await (const data of stream as AsyncIterable<Buffer>) {
        bytes += data.length;
        if (bytes > source.bytes) throw new Error(`more than its ${source.bytes} bytes arrived`);
        hash.update(data);
        const chunk = rest.length > 0 ? Buffer.concat([rest, data]) : data;
        const whole = chunk.length - (chunk.length % 3);
        rest = chunk.subarray(whole);
        if (whole > 0) yield Buffer.from(chunk.toString('base64', 0, whole), 'latin1');
      }
      if (bytes !== source.bytes) throw new Error(`${bytes} bytes arrived of ${source.bytes}`);
      yield Buffer.from(rest.toString('base64') + after);
    } catch (error) {
      fault = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }

  return {
    pieces: pieces(),
    length: before.length + 4 * Math.ceil(source.bytes / 3) + after.length,
    sha: () => hash.digest('hex'),
    fault: () => fault,
    close: () => void stream?.destroy(),
  };
}

/** Lets so many work at a time, and the others in the order in which they came. */
function makeGate(places: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let free = places;
  const line: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((enter) => line.push(enter));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next) next();
      else free++;
    }
  };
}

function makeVisibility(client: Client, { owner, repo }: Place): { isPublic(): boolean } {
  let known = false;
  let askedAt = 0;
  function look(): void {
    askedAt = Date.now();
    client
      .ask(() => client.request('GET /repos/{owner}/{repo}', { owner, repo }))
      .then(
        ({ data }) => {
          known = data.private === false;
        },
        // What was said minutes ago holds while nobody answers, and not when GitHub says no.
        (error) => {
          if (error instanceof Refusal && error.status > 0) known = false;
        },
      );
  }
  look();
  return {
    isPublic() {
      if (Date.now() - askedAt > VISIBILITY_MS) look();
      return known;
    },
  };
}

// ── Speaking with GitHub ─────────────────────────────────────────────────────────────────────────────────────────────

/** GitHub said no, or nothing. `status` is 0 when it said nothing. */
class Refusal extends Error {
  readonly status: number;
  /** GitHub's own words. */
  readonly said: string;
  /** Whether it may go well later. */
  readonly retryable: boolean;
  /** When it may be asked again, where the rate is limited; milliseconds since 1970. */
  readonly limitedUntil: number | null;
  /** Whether to ask again at once. A silence is not asked again, for its caller has waited long enough. */
  readonly again: boolean;

  constructor(
    message: string,
    facts: Partial<Pick<Refusal, 'status' | 'said' | 'retryable' | 'limitedUntil' | 'again' | 'cause'>> = {},
  ) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.status = facts.status ?? 0;
    this.said = facts.said ?? '';
    this.retryable = facts.retryable ?? false;
    this.limitedUntil = facts.limitedUntil ?? null;
    this.again = facts.again ?? this.retryable;
  }
}

interface Answer<Data> {
  readonly status: number;
  readonly headers: { readonly etag?: string; readonly [header: string]: string | number | undefined };
  readonly data: Data;
}

interface Client {
  readonly url: URL;
  readonly request: Octokit['request'];
  /** Sends, again where that may help, and reads the answer. @throws Refusal */
  ask<Data>(send: () => Promise<Answer<Data>>): Promise<Answer<Data>>;
  /** The same, with the body as it comes. It must be read to its end or destroyed. */
  stream(send: () => Promise<Answer<unknown>>): Promise<Answer<Readable>>;
  /** A text without the token. */
  clean(text: string): string;
  close(): Promise<void>;
}

async function openClient({ apiUrl = 'https://api.github.com', ...options }: GithubOptions): Promise<Client> {
  const { token, timeoutSeconds = 30 } = options;
  // Loaded here, so that a server without such a store does not pay for them.
  const [{ Octokit }, undici] = await Promise.all([import('@octokit/core'), import('undici')]);
  const silence = timeoutSeconds * 1000;
  const agent = new undici.Agent({
    connect: { timeout: silence },
    headersTimeout: silence,
    bodyTimeout: silence,
    allowH2: false,
  });
  const quiet = () => {};
  const octokit = new Octokit({
    baseUrl: apiUrl.replace(/\/+$/, ''),
    auth: token,
    userAgent: 'fixative',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: {
      fetch: (url: string, init: Undici.RequestInit) => undici.fetch(url, { ...init, dispatcher: agent }),
      // A body that was streamed cannot be sent on, and a repository that has moved is for a person to look at.
      redirect: 'manual',
      // Octokit takes an answer that was cut off for an empty text, so answers are read here.
      parseSuccessResponseBody: false,
      log: { warn: quiet },
    },
  });
  const clean = (text: string) => (token ? text.replaceAll(token, '…') : text);
  let limitedUntil = 0;
  let closed = false;

  /** Nothing is asked while a limit lasts: GitHub bars those who go on. */
  async function waitForLimit(): Promise<void> {
    const wait = limitedUntil - Date.now();
    if (wait <= 0) return;
    if (wait > PATIENCE_SECONDS * 1000) {
      const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
      throw new Refusal(`GitHub limits the rate until ${until}`, {
        status: 429,
        retryable: true,
        limitedUntil,
      });
    }
    await sleep(wait + Math.random() * 250);
  }

  async function attempt<Data, Result>(
    send: () => Promise<Answer<Data>>,
    read: (body: ReadableStream) => Promise<Result> | Result,
  ): Promise<Answer<Result>> {
    for (let count = 1; ; count++) {
      await waitForLimit();
      try {
        const { status, headers, data } = await send();
        const body = data as ReadableStream;
        if (status >= 300) {
          await body?.cancel?.();
          const where = 'the repository or its branch was renamed or moved; give the present name';
          throw new Refusal(`GitHub sends on to another address (${status}): ${where}`, { status });
        }
        return { status, headers, data: await read(body) };
      } catch (error) {
        const refusal = refusalOf(error, { clean, timeoutSeconds });
        if (refusal.limitedUntil !== null) limitedUntil = Math.max(limitedUntil, refusal.limitedUntil);
        if (!refusal.again || closed || count === REQUEST_ATTEMPTS) throw refusal;
        if (refusal.limitedUntil === null) await sleep(jitter(count, 4000));
      }
    }
  }

  return {
    url: new URL(apiUrl),
    request: octokit.request,
    ask: <Data>(send: () => Promise<Answer<Data>>) =>
      attempt(send, async (body) => JSON.parse(await text(body)) as Data),
    stream: (send) =>
      attempt(send, (body) => {
        const stream = Readable.fromWeb(body);
        // Whoever reads it is told by the reading; that nobody reads yet must not end the process.
        stream.on('error', quiet);
        return stream;
      }),
    clean,
    async close() {
      closed = true;
      await agent.destroy();
    },
  };
}

/** What a failure of a request means: GitHub's word where it gave one, and the network's else. */
function refusalOf(
  error: unknown,
  { clean, timeoutSeconds }: { clean(text: string): string; timeoutSeconds: number },
): Refusal {
  if (error instanceof Refusal) return error;
  const { response } = error as { response?: Answer<unknown> };
  if (!response) {
    const beneath = causes(error);
    const last = beneath.at(-1);
    if (beneath.some((each) => /TIMEOUT|ETIMEDOUT/.test(`${(each as NodeJS.ErrnoException).code}`))) {
      const message = `GitHub was silent for ${timeoutSeconds} seconds`;
      return new Refusal(message, { retryable: true, again: false, cause: last });
    }
    const reason = clean(last?.message || (last as NodeJS.ErrnoException)?.code || String(error));
    return new Refusal(`GitHub could not be asked: ${reason}`, { retryable: true, cause: last });
  }
  const { status, data } = response;
  const said = clean(sayingOf(data)).slice(0, 300);
  const facts = { status, said };
  const words = `${status}${said && ` ${said.replace(/\.$/, '')}`}`;
  const limitedUntil = limitOf(response, said);
  if (limitedUntil !== null) {
    const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
    const message = `GitHub limits the rate until ${until} (${words})`;
    return new Refusal(message, { ...facts, retryable: true, limitedUntil });
  }
  if (status === 401) return new Refusal(`GitHub does not accept the token (${words})`, facts);
  if (status === 403) return new Refusal(`the token may not do this (${words})`, facts);
  if (status === 404)
    return new Refusal(`the repository is not there, or the token may not use it (${words})`, facts);
  return new Refusal(`GitHub answered ${words}`, { ...facts, retryable: status >= 500 || status === 408 });
}

/** Until when an answer says that it is not to be asked; null when it is no answer of that kind. */
function limitOf({ status, headers }: Answer<unknown>, said: string): number | null {
  if (status !== 403 && status !== 429) return null;
  const [after, reset] = [Number(headers['retry-after']), Number(headers['x-ratelimit-reset'])];
  if (after >= 0) return Date.now() + after * 1000;
  // A reset that is past by our clock is a matter of clocks.
  if (`${headers['x-ratelimit-remaining']}` === '0' && reset > 0)
    return Math.max(reset * 1000, Date.now() + 1000);
  // GitHub's advice where it gives no time: at least a minute.
  return status === 429 || /rate limit|abuse/i.test(said) ? Date.now() + 60_000 : null;
}

function sayingOf(data: unknown): string {
  if (typeof data === 'string') return '';
  const { message, errors } = (data ?? {}) as { message?: unknown; errors?: unknown };
  return [message, Array.isArray(errors) ? JSON.stringify(errors) : null].filter(Boolean).join(' ');
}

function saysEmpty(refusal: Refusal): boolean {
  return refusal.status === 409 && /empty/i.test(refusal.said);
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let each = error; each instanceof Error && found.length < 8; each = each.cause) found.push(each);
  return found;
}

/** Full jitter: anything up to a bound that doubles, so that those who failed together do not come back together. */
function jitter(attempt: number, mostMs: number): number {
  return Math.random() * Math.min(mostMs, 200 * 2 ** attempt);
}
