import { LRUCache } from 'lru-cache';
import type { GithubClient } from './github-client.ts';
import { GithubRefusal } from './github-refusal.ts';

/** Most entries of all cached listings together. */
const MAX_CACHED_ENTRIES = 200_000;

/** Where the objects are. */
export interface GithubLocation {
  readonly owner: string;
  readonly repo: string;
  readonly branch: string;
  readonly directory: string;
}

/** A file in a tree: its git name (the SHA-1 of its length and bytes) and its length. */
export interface TreeEntry {
  readonly sha: string;
  readonly bytes: number;
}

export interface TreeListing {
  readonly files: ReadonlyMap<string, TreeEntry>;
  /** Subtrees that must be listed one by one, because GitHub truncated the recursive listing. */
  readonly directories: ReadonlyMap<string, string>;
}

/**
 * A cache of the listings of git trees. A tree is immutable, so a listing stays right. The least recently
 * used is evicted.
 */
export interface TreeListings {
  /**
   * Lists a tree by its SHA-1.
   * @param recursive everything below it, if GitHub lists that. Default: true.
   */
  list(sha: string, recursive?: boolean): Promise<TreeListing>;
  /** Finds the tree of the directory of the keys, below the root of a commit; null if there is none. */
  findDirectory(root: string): Promise<string | null>;
  /** Finds a file below a tree. */
  findFile(tree: string, path: string): Promise<TreeEntry | null>;
}

export function makeTreeListings(client: GithubClient, location: GithubLocation): TreeListings {
  /** By the SHA-1 of the tree. The size of a listing is its number of entries. */
  const cache = new LRUCache<string, Promise<TreeListing>>({ maxSize: MAX_CACHED_ENTRIES });

  function list(sha: string, recursive = true): Promise<TreeListing> {
    const name = recursive ? sha : `${sha} alone`;
    const cached = cache.get(name);
    if (cached) return cached;
    const listing = fetchListing(client, location, sha, recursive);
    cache.set(name, listing, { size: 1 });
    listing.then(
      // The size is known only now. A listing larger than the cache evicts all others.
      ({ files, directories }) => {
        const size = Math.min(1 + files.size + directories.size, MAX_CACHED_ENTRIES);
        // lru-cache does not change the size of a value that it holds already.
        cache.delete(name);
        cache.set(name, listing, { size });
      },
      () => cache.delete(name),
    );
    return listing;
  }

  async function findDirectory(root: string): Promise<string | null> {
    let tree: string | undefined = root;
    for (const segment of location.directory.split('/')) {
      const above: TreeListing = await list(tree, false);
      tree = above.directories.get(segment);
      if (!tree) return null;
    }
    return tree;
  }

  async function findFile(top: string, path: string): Promise<TreeEntry | null> {
    let tree: string | null = top;
    for (let rest = path; tree; ) {
      const { files, directories }: TreeListing = await list(tree);
      const found = files.get(rest);
      if (found) return found;
      const slash = rest.indexOf('/');
      tree = directories.get(rest.slice(0, slash)) ?? null;
      rest = rest.slice(slash + 1);
    }
    return null;
  }

  return { list, findDirectory, findFile };
}

async function fetchListing(
  client: GithubClient,
  location: GithubLocation,
  tree: string,
  recursive: boolean,
): Promise<TreeListing> {
  const { owner, repo } = location;
  const { data } = await client.ask(() =>
    client.request('GET /repos/{owner}/{repo}/git/trees/{tree_sha}', {
      owner,
      repo,
      tree_sha: tree,
      ...(recursive ? { recursive: '1' } : {}),
    }),
  );
  if (data.truncated && recursive) return fetchListing(client, location, tree, false);
  if (data.truncated)
    throw new GithubRefusal(`GitHub does not list the whole directory ${tree}: it is too large`);
  const files = new Map<string, TreeEntry>();
  const directories = new Map<string, string>();
  for (const { type, mode, path = '', sha = '', size = 0 } of data.tree) {
    if (type === 'tree' && !recursive) directories.set(path, sha);
    // Symbolic links and submodules are not objects of the store.
    if (type === 'blob' && mode?.startsWith('100')) files.set(path, { sha, bytes: size });
  }
  return { files, directories };
}
