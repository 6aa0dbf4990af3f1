import { LRUCache } from 'lru-cache';
import { type Client, Refusal, saysEmpty } from './github-client.ts';

/** How long the head that was read last is believed about what is there; never about what is not. */
const HEAD_MS = 3000;
/** For how long GitHub's replicas may still show a head from which we have moved the branch on. */
const REPLICA_MS = 60_000;
const MAX_LISTED = 200_000;
const MAX_OVERLAY = 1000;

/** Where the objects are. */
export interface Place {
  readonly owner: string;
  readonly repo: string;
  readonly branch: string;
  readonly directory: string;
}

/** A file in a tree: its git name, which is the SHA-1 of its length and bytes, and its length. */
export interface Entry {
  readonly sha: string;
  readonly bytes: number;
}

/**
 * What the branch points to. What is in it is the listing of `base`, changed by `changes`: those are the commits that this
 * process has made since `base`, so that none of them costs a new listing.
 */
export interface Head {
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

export interface TreeReader {
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

export function makeTreeReader(client: Client, { owner, repo, branch, directory }: Place): TreeReader {
  let head: Head | null = null;
  let readAt = 0;
  let seen: { etag: string; commit: string; tree: string } | null = null;
  let reading: Promise<Head | null> | null = null;
  let following: Promise<Head | null> | null = null;
  /** Commits from which this process has moved the branch on, and when. */
  const left = new Map<string, number>();
  /** Listings by the SHA of their tree. */
  const listings = new LRUCache<string, Promise<Listing>>({ maxSize: MAX_LISTED });

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
    if (known) return known;
    const listing = fetchListing(sha, recursive);
    listings.set(name, listing, { size: 1 });
    listing.then(
      // Its size is known only now. A listing larger than the cache evicts all others.
      ({ files, directories }) => {
        const size = Math.min(1 + files.size + directories.size, MAX_LISTED);
        // The cache does not change the size of a value that it holds already.
        listings.delete(name);
        listings.set(name, listing, { size });
      },
      () => listings.delete(name),
    );
    return listing;
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
