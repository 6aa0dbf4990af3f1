/** Writes files: several uploads at a time, but one commit at a time, each with all changes that wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import { makeGate } from '../../gate.ts';
import type { BlobSource } from '../store.ts';
import type { GithubClient } from './github-client.ts';
import { commitChanges, type GithubRepository, makeFirstCommit } from './github-commit.ts';
import type { GithubLocation, TreeEntry } from './github-listings.ts';
import { GithubRefusal, jitter, saysEmpty } from './github-refusal.ts';
import type { TreeReader } from './github-tree.ts';
import { uploadBlob } from './github-upload.ts';

const MiB = 1024 * 1024;
/** Uploads at a time. GitHub asks for few; each holds one piece of its file in memory. */
const MAX_UPLOADS = 4;
const MAX_BATCH_FILES = 100;
const MAX_BATCH_BYTES = 256 * MiB;
/** Time that a commit waits for running uploads, so that they share it. */
const GATHER_MS = 1000;

/** A file to be written, or deleted if `entry` is null. */
interface Change {
  readonly key: string;
  readonly entry: TreeEntry | null;
  done(): void;
  failed(error: unknown): void;
}

export interface GithubWriter {
  put(key: string, source: BlobSource): Promise<TreeEntry>;
  delete(key: string): Promise<void>;
  /** Resolves when no write runs, whether they succeeded or not. */
  settled(): Promise<void>;
}

export function makeGithubWriter(
  client: GithubClient,
  location: GithubLocation,
  tree: TreeReader,
): GithubWriter {
  const repository: GithubRepository = {
    client,
    location,
    tree,
    begin: shareRuns(() => makeFirstCommit(client, location)),
  };
  const queue = makeCommitQueue(repository);
  const admit = makeGate(MAX_UPLOADS);
  const running = new Set<Promise<unknown>>();

  function track<Result>(work: Promise<Result>): Promise<Result> {
    running.add(work);
    const forget = () => running.delete(work);
    work.then(forget, forget);
    return work;
  }

  async function put(key: string, source: BlobSource): Promise<TreeEntry> {
    const entry = await queue.whileUploading(() => admit(() => uploadWithRetries(repository, source)));
    await queue.commit(key, entry);
    return entry;
  }

  return {
    put: (key, source) => track(put(key, source)),
    delete: (key) => track(queue.commit(key, null)),
    async settled() {
      await Promise.allSettled(running);
    },
  };
}

interface CommitQueue {
  /** Runs an upload. A commit that is about to start waits up to GATHER_MS for it. */
  whileUploading<Result>(upload: () => Promise<Result>): Promise<Result>;
  /** Resolves when the branch has a commit with the change. */
  commit(key: string, entry: TreeEntry | null): Promise<void>;
}

function makeCommitQueue(repository: GithubRepository): CommitQueue {
  const waiting: Change[] = [];
  let uploads = 0;
  let isCommitting = false;

  async function commitAll(): Promise<void> {
    isCommitting = true;
    while (waiting.length > 0) {
      const until = Date.now() + GATHER_MS;
      while (uploads > 0 && waiting.length < MAX_BATCH_FILES && Date.now() < until) await sleep(10);
      const batch = takeBatch(waiting);
      try {
        // If a key is changed twice, the last change counts.
        await commitChanges(repository, new Map(batch.map(({ key, entry }) => [key, entry])));
        for (const change of batch) change.done();
      } catch (error) {
        for (const change of batch) change.failed(error);
      }
    }
    isCommitting = false;
  }

  return {
    whileUploading(upload) {
      uploads++;
      return upload().finally(() => uploads--);
    },
    commit: (key, entry) =>
      new Promise((done, failed) => {
        waiting.push({ key, entry, done, failed });
        if (!isCommitting) void commitAll();
      }),
  };
}

/** Uploads a file; makes the first commit if the repository is empty. */
async function uploadWithRetries(repository: GithubRepository, source: BlobSource): Promise<TreeEntry> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await uploadBlob(repository.client, repository.location, source);
    } catch (error) {
      if (!(error instanceof GithubRefusal) || !saysEmpty(error) || attempt === 3) throw error;
      // The head shows whether the repository is really empty: freshHead throws if the branch was there
      // before.
      if ((await repository.tree.freshHead()) === null) await repository.begin();
      await sleep(jitter(attempt, 1000));
    }
  }
}

/** Removes the first changes from the queue: as many as fit into one commit, and at least one. */
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

/** Returns a function whose concurrent calls share one run. */
function shareRuns(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  };
}
