/** Commits changes of files to the branch, and makes the first commit of an empty repository. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GithubClient } from './github-client.ts';
import type { GithubHead } from './github-head.ts';
import type { GithubLocation, TreeEntry } from './github-listings.ts';
import { GithubRefusal, jitter } from './github-refusal.ts';
import type { TreeReader } from './github-tree.ts';

const COMMIT_ATTEMPTS = 8;

/** Files by their keys; null deletes a file. */
export type FileChanges = ReadonlyMap<string, TreeEntry | null>;

export interface GithubRepository {
  readonly client: GithubClient;
  readonly location: GithubLocation;
  readonly tree: TreeReader;
  /** Makes the first commit of an empty repository. */
  begin(): Promise<void>;
}

/** Commits changes. Tries again when another writer has moved the branch meanwhile. @throws GithubRefusal */
export async function commitChanges(repository: GithubRepository, changes: FileChanges): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const parent = await repository.tree.freshHead();
    if (parent) {
      const refusal = await tryCommit(repository, parent, changes);
      if (!refusal) return;
      if (attempt === COMMIT_ATTEMPTS) throw refusal;
    } else if (![...changes.values()].some((entry) => entry)) {
      return;
    } else if (attempt < COMMIT_ATTEMPTS) {
      await repository.begin();
    } else {
      throw new GithubRefusal('the repository is empty; make its first commit', { retryable: true });
    }
    await sleep(jitter(attempt, 8000));
  }
}

/**
 * Returns null if the branch now has the changes; else the refusal, if the reason may be that the branch has
 * moved.
 */
async function tryCommit(
  repository: GithubRepository,
  parent: GithubHead,
  changes: FileChanges,
): Promise<GithubRefusal | null> {
  const { tree } = repository;
  const entries = await treeEntriesOf(repository, parent, changes);
  if (entries.length === 0) return null;
  try {
    const root = await makeTree(repository, parent, entries);
    // The branch has the changes already, for example because the response to an earlier attempt was lost.
    if (root === parent.tree) return null;
    const commit = await moveBranch(repository, parent, root, messageOf(changes));
    tree.advance(parent, commit, root, changes);
    return null;
  } catch (error) {
    if (!(error instanceof GithubRefusal) || (error.status !== 409 && error.status !== 422)) throw error;
    // The last two come from a replica that does not have the new tree or commit yet.
    const passing = /fast.?forward|reference does not exist|not a valid|badobject/i;
    if (error.status === 409 || passing.test(error.said)) return error;
    // Any other refusal is a lost race if the head has changed. A rule of the repository would refuse again.
    const now = await tree.freshHead();
    if (now?.commit === parent.commit) throw error;
    return error;
  }
}

interface NewTreeEntry {
  readonly path: string;
  readonly mode: '100644';
  readonly type: 'blob';
  /** null deletes the file. */
  readonly sha: string | null;
}

/** Leaves out deletions of files that do not exist, because GitHub refuses a tree with those. */
async function treeEntriesOf(
  { location, tree }: GithubRepository,
  parent: GithubHead,
  changes: FileChanges,
): Promise<NewTreeEntry[]> {
  const entries: NewTreeEntry[] = [];
  for (const [key, entry] of changes) {
    if (entry || (await tree.findIn(parent, key)))
      entries.push({
        path: `${location.directory}/${key}`,
        mode: '100644',
        type: 'blob',
        sha: entry?.sha ?? null,
      });
  }
  return entries;
}

/** @returns the SHA-1 of the new root tree. */
async function makeTree(
  { client, location: { owner, repo } }: GithubRepository,
  parent: GithubHead,
  entries: NewTreeEntry[],
): Promise<string> {
  const { data } = await client.ask(() =>
    client.request('POST /repos/{owner}/{repo}/git/trees', {
      owner,
      repo,
      base_tree: parent.tree,
      tree: entries,
    }),
  );
  return data.sha;
}

/**
 * Makes a commit of a root tree and moves the branch to it, by fast-forward only.
 * @returns the SHA-1 of the commit.
 */
async function moveBranch(
  { client, location: { owner, repo, branch } }: GithubRepository,
  parent: GithubHead,
  root: string,
  message: string,
): Promise<string> {
  const { data } = await client.ask(() =>
    client.request('POST /repos/{owner}/{repo}/git/commits', {
      owner,
      repo,
      message,
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
  return data.sha;
}

/**
 * Makes the first commit of an empty repository, through the contents API: the API of git objects answers 409
 * there. A branch that is missing beside others is never made, because it may have been renamed with all its
 * files.
 */
export async function makeFirstCommit(client: GithubClient, location: GithubLocation): Promise<void> {
  const { owner, repo, branch, directory } = location;
  try {
    await client.ask(() =>
      client.request('PUT /repos/{owner}/{repo}/contents/{path}', {
        owner,
        repo,
        branch,
        path: `${directory}/.gitkeep`,
        message: `Begin ${directory}`,
        content: Buffer.from('Fixative keeps images here.\n').toString('base64'),
      }),
    );
  } catch (error) {
    // Another process has made it.
    if (error instanceof GithubRefusal && (error.status === 409 || error.status === 422)) return;
    throw error;
  }
}

function messageOf(changes: FileChanges): string {
  const kept = [...changes].filter(([, entry]) => entry).map(([key]) => key);
  const deleted = [...changes].filter(([, entry]) => !entry).map(([key]) => key);
  const describe = (verb: string, keys: string[]) =>
    keys.length === 0 ? [] : [`${verb} ${keys.length === 1 ? keys[0] : `${keys.length} files`}`];
  const message = [...describe('keep', kept), ...describe('delete', deleted)].join(', ');
  return message.charAt(0).toUpperCase() + message.slice(1);
}
