/** Writing: uploads side by side, commits one after the other, each with all that waits. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeGate } from '../../gate.ts';
import type { BlobSource } from '../store.ts';
import { type Client, jitter, Refusal, saysEmpty } from './github-client.ts';
import type { Entry, Head, Place, TreeReader } from './github-tree.ts';

const MiB = 1024 * 1024;
/** Uploads at a time. GitHub asks for few; each holds one piece of its file in memory. */
const MAX_UPLOADS = 4;
const MAX_BATCH_FILES = 100;
const MAX_BATCH_BYTES = 256 * MiB;
/** How long a commit waits for uploads that are under way, so that they share it. */
const GATHER_MS = 1000;
const COMMIT_ATTEMPTS = 8;
const VISIBILITY_MS = 5 * 60_000;

/** One file that shall be so: an entry, or none. */
interface Change {
  readonly key: string;
  readonly entry: Entry | null;
  done(): void;
  failed(error: unknown): void;
}

export interface Writer {
  put(key: string, source: BlobSource): Promise<Entry>;
  delete(key: string): Promise<void>;
  /** When nothing is under way any more, however it ended. */
  settled(): Promise<void>;
}

export function makeWriter(client: Client, place: Place, tree: TreeReader): Writer {
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

export function makeVisibility(client: Client, { owner, repo }: Place): { isPublic(): boolean } {
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
