import type { GithubClient } from './github-client.ts';
import { type GithubHead, type HeadReader, makeHeadReader } from './github-head.ts';
import {
  type GithubLocation,
  makeTreeListings,
  type TreeEntry,
  type TreeListing,
} from './github-listings.ts';

/**
 * Time for which the known head is trusted for a file that it has. A file that it lacks is always looked up
 * in a fresh head.
 */
const HEAD_MAX_AGE_MS = 3000;

/** Finds files in the branch. */
export interface TreeReader extends Pick<HeadReader, 'advance'> {
  /** Reads the head from GitHub; null if the repository has no commit. */
  freshHead: HeadReader['fresh'];
  find(key: string): Promise<TreeEntry | null>;
  findIn(head: GithubHead, key: string): Promise<TreeEntry | null>;
  /** Lists everything below a tree, or the tree alone if GitHub truncates that. */
  list(tree: string): Promise<TreeListing>;
  /** Finds the tree of the directory of the keys, below the root of a commit; null if there is none. */
  findDirectory(root: string): Promise<string | null>;
}

export function makeTreeReader(client: GithubClient, location: GithubLocation): TreeReader {
  const head = makeHeadReader(client, location);
  const listings = makeTreeListings(client, location);

  async function findIn(at: GithubHead, key: string): Promise<TreeEntry | null> {
    const changed = at.changes.get(key);
    if (changed !== undefined) return changed;
    const directory = await listings.findDirectory(at.base);
    return directory === null ? null : listings.findFile(directory, key);
  }

  return {
    freshHead: head.fresh,
    advance: head.advance,
    list: (tree) => listings.list(tree),
    findDirectory: listings.findDirectory,
    findIn,
    async find(key) {
      if (head.known && Date.now() - head.readAt < HEAD_MAX_AGE_MS) {
        const found = await findIn(head.known, key);
        if (found) return found;
      }
      const fresh = await head.fresh();
      return fresh && findIn(fresh, key);
    },
  };
}
