/** Uploads files as git blobs. A blob is invisible until a commit names it. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { BlobSource } from '../store.ts';
import type { GithubClient } from './github-client.ts';
import type { GithubLocation, TreeEntry } from './github-listings.ts';
import { GithubRefusal } from './github-refusal.ts';

/** Uploads the bytes and checks the git name that GitHub returns. */
export async function uploadBlob(
  client: GithubClient,
  { owner, repo }: GithubLocation,
  source: BlobSource,
): Promise<TreeEntry> {
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
      throw cause
        ? new GithubRefusal(cause.message, { retryable: true, retriesAtOnce: false, cause })
        : error;
    } finally {
      body.close();
    }
  });
  const { sha } = data as { sha: string };
  if (sha !== sent) throw new Error(`GitHub keeps it as ${sha}, and it is ${sent}`);
  return { sha, bytes: source.bytes };
}

interface Base64Body {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Length of the whole body, in bytes. */
  readonly length: number;
  /** The git name of the bytes that were sent. */
  sha(): string;
  /** The error of the source; null: none. The sender of the body only reports that it broke off. */
  fault(): Error | null;
  close(): void;
}

/** Makes the JSON body of the request piece by piece, so that one piece at a time is in memory. */
function makeBase64Body(source: BlobSource): Base64Body {
  const before = '{"encoding":"base64","content":"';
  const after = '"}';
  const hash = createHash('sha1').update(`blob ${source.bytes}\0`);
  let stream: Readable | null = null;
  let fault: Error | null = null;

  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      stream = source.open();
      yield Buffer.from(before);
      // Base64 encodes three bytes at a time, so the remainder of a piece is put before the next.
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
