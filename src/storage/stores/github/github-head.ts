import type { GithubClient } from './github-client.ts';
import type { GithubLocation, TreeEntry } from './github-listings.ts';
import { GithubRefusal, saysEmpty } from './github-refusal.ts';

/** Time for which GitHub's replicas may still return an old head after this process has moved the branch. */
const REPLICA_LAG_MS = 60_000;
/** With more changes than this, a new listing costs less than the overlay. */
const MAX_CHANGES = 1000;

/**
 * The commit of the branch. Its content is the listing of the tree `base` with `changes` applied. The changes
 * are the commits of this process since `base`, so that no commit costs a new listing.
 */
export interface GithubHead {
  readonly commit: string;
  readonly tree: string;
  readonly base: string;
  readonly changes: ReadonlyMap<string, TreeEntry | null>;
}

export interface HeadReader {
  /** The head that was read or made last; null before the first read. */
  readonly known: GithubHead | null;
  /** When `known` was read or made, in milliseconds since 1970. */
  readonly readAt: number;
  /**
   * Reads the head from GitHub. Concurrent calls share a request, but never one that was sent before the
   * call.
   */
  fresh(): Promise<GithubHead | null>;
  /** Records a commit of this process. */
  advance(
    parent: GithubHead,
    commit: string,
    tree: string,
    changes: ReadonlyMap<string, TreeEntry | null>,
  ): void;
}

export function makeHeadReader(client: GithubClient, location: GithubLocation): HeadReader {
  const { owner, repo, branch } = location;
  let head: GithubHead | null = null;
  let readAt = 0;
  let lastAnswer: { etag: string; commit: string; tree: string } | null = null;
  /** Commits from which this process has moved the branch on, with the time. */
  const left = new Map<string, number>();

  /**
   * Takes a commit from GitHub as the head, unless a replica returned one that this process has moved on
   * from.
   */
  function accept(commit: string, tree: string): GithubHead {
    readAt = Date.now();
    const isStale = head !== null && Date.now() - (left.get(commit) ?? 0) < REPLICA_LAG_MS;
    if (head && (isStale || head.commit === commit)) return head;
    head = { commit, tree, base: tree, changes: new Map() };
    return head;
  }

  /** Returns null if the repository has no commit. */
  async function read(): Promise<GithubHead | null> {
    const before = head ? lastAnswer : null;
    try {
      const { data, headers } = await client.ask(() =>
        client.request('GET /repos/{owner}/{repo}/branches/{branch}', {
          owner,
          repo,
          branch,
          // A 304 does not count against the rate limit.
          headers: before ? { 'if-none-match': before.etag } : {},
        }),
      );
      const commit = data.commit.sha;
      const tree = data.commit.commit.tree.sha;
      lastAnswer = headers.etag ? { etag: headers.etag, commit, tree } : null;
      return accept(commit, tree);
    } catch (error) {
      if (!(error instanceof GithubRefusal)) throw error;
      if (error.status === 304 && before) return accept(before.commit, before.tree);
      if (error.status !== 404 || !/branch/i.test(error.said)) throw error;
      if (!head && (await isEmptyRepository(client, location))) return null;
      throw noBranch(branch, head !== null, error);
    }
  }

  return {
    get known() {
      return head;
    },
    get readAt() {
      return readAt;
    },
    fresh: shareReads(read),
    advance(parent, commit, tree, changes) {
      const now = Date.now();
      for (const [old, at] of left) if (now - at > REPLICA_LAG_MS) left.delete(old);
      left.set(parent.commit, now);
      left.delete(commit);
      readAt = now;
      const all = new Map([...parent.changes, ...changes]);
      head =
        all.size <= MAX_CHANGES
          ? { commit, tree, base: parent.base, changes: all }
          : { commit, tree, base: tree, changes: new Map() };
    },
  };
}

/**
 * Shares one read between callers, but only a read that begins after the call. At most one read follows the
 * running one.
 */
function shareReads<Result>(read: () => Promise<Result>): () => Promise<Result> {
  let reading: Promise<Result> | null = null;
  let following: Promise<Result> | null = null;
  const start = () => {
    const started = read().finally(() => {
      if (reading === started) reading = null;
    });
    reading = started;
    return started;
  };
  return () => {
    if (!reading) return start();
    following ??= reading
      .catch(() => null)
      .then(() => {
        following = null;
        return start();
      });
    return following;
  };
}

/**
 * Returns whether the repository itself reports that it has no commit. A missing branch alone does not show
 * that.
 */
async function isEmptyRepository(client: GithubClient, location: GithubLocation): Promise<boolean> {
  const { owner, repo, branch } = location;
  try {
    await client.ask(() =>
      client.request('GET /repos/{owner}/{repo}/git/ref/{ref}', { owner, repo, ref: `heads/${branch}` }),
    );
    return false;
  } catch (error) {
    if (error instanceof GithubRefusal && error.status === 404) return false;
    if (error instanceof GithubRefusal && saysEmpty(error)) return true;
    throw error;
  }
}

function noBranch(branch: string, wasThere: boolean, cause: GithubRefusal): GithubRefusal {
  const detail = wasThere ? ' any more: it may have been renamed or deleted' : '';
  return new GithubRefusal(
    `the repository has no branch ${branch}${detail}; create it, or name the right one`,
    { cause },
  );
}
