import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, FormData, fetch } from 'undici';
import { CRASH_TOKEN } from '../crash/client.ts';
import { makePicture } from '../pictures.ts';
import { type Follower, followImages } from './subscription.ts';

/** Pause of each client between two requests, in milliseconds. */
const PAUSE_MS = 60;
const REQUEST_SECONDS = 40;
const AUTHORIZATION = { authorization: `Bearer ${CRASH_TOKEN}` };
const UPLOAD = `mutation($input: UploadImageInput!) {
  uploadImage(input: $input) { image { id url sha256 } userErrors { code message } }
}`;
const GENERATE = `mutation($input: GenerateImageInput!) {
  generateImage(input: $input) { images { id } userErrors { code message } }
}`;
const LIST = '{ images(first: 20) { totalCount nodes { id status } } }';

interface Payload {
  readonly image?: Acknowledged;
  readonly images?: readonly { readonly id: string }[];
  readonly userErrors: readonly { readonly code: string }[];
}

interface Result {
  readonly data: Record<string, Payload | null> | null;
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
}

export interface Acknowledged {
  readonly id: string;
  readonly url: string;
  readonly sha256: string;
}

/** Records of what the clients have seen. */
export interface Seen {
  readonly uploads: Acknowledged[];
  /** Generations whose image ids a client has received. */
  readonly generations: { readonly id: string; readonly prompt: string }[];
  readonly requests: Record<string, number>;
  /** Requests that the client had to repeat, by kind and reason. */
  readonly resent: Record<string, number>;
  /** GET requests that failed although another server could have responded. */
  readonly avoidable: string[];
  /** Bytes that were not those of the image. */
  readonly wrong: string[];
}

export interface Load {
  readonly seen: Seen;
  readonly followers: readonly Follower[];
  /**
   * Whether every GET must succeed, because the database and S3 are there. Otherwise only the errors of nginx
   * itself count.
   */
  mustSucceed: boolean;
  upload(): Promise<void>;
  generate(): Promise<{ id: string; prompt: string }>;
  /** Stops the requests. The subscriptions stay. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** Sends requests through nginx as clients do, until it is stopped. Clients repeat what failed. */
export function startLoad(url: URL): Load {
  const seen: Seen = { uploads: [], generations: [], requests: {}, resent: {}, avoidable: [], wrong: [] };
  const agent = new Agent({ connections: 32 });
  const count = (of: Record<string, number>, name: string) => {
    of[name] = (of[name] ?? 0) + 1;
  };
  let isStopped = false;
  let isClosed = false;
  let seed = 0;

  async function post(kind: string, body: () => FormData | string): Promise<Payload> {
    for (;;) {
      const content = body();
      const json = typeof content === 'string' ? { 'content-type': 'application/json' } : {};
      count(seen.requests, kind);
      const failure = await fetch(new URL('/graphql', url), {
        method: 'POST',
        headers: { ...AUTHORIZATION, ...json },
        body: content,
        dispatcher: agent,
        signal: AbortSignal.timeout(REQUEST_SECONDS * 1000),
      })
        .then(async (response) => {
          const text = await response.text();
          if (!text.startsWith('{')) return `status ${response.status}`;
          const { data, errors } = JSON.parse(text) as Result;
          const payload = data && Object.values(data)[0];
          const error = errors?.[0]?.extensions.code ?? payload?.userErrors[0]?.code;
          return error ?? (payload ? { payload } : `status ${response.status}`);
        })
        .catch((error: Error) => (error.name === 'TimeoutError' ? 'timeout' : 'connection closed'));
      if (typeof failure === 'object') return failure.payload;
      count(seen.resent, `${kind}: ${failure}`);
      await sleep(250);
    }
  }

  async function get(kind: string, path: string): Promise<Buffer | null> {
    const { mustSucceed } = load;
    count(seen.requests, kind);
    try {
      const response = await fetch(new URL(path, url), {
        headers: AUTHORIZATION,
        dispatcher: agent,
        signal: AbortSignal.timeout(REQUEST_SECONDS * 1000),
      });
      const { status } = response;
      // 502 and 504 are of nginx itself. Two servers are alive at any time.
      const isAvoidable =
        status === 502 || status === 504 || (status >= 400 && mustSucceed && load.mustSucceed);
      if (isAvoidable) seen.avoidable.push(`${kind}: ${status} ${path}`);
      if (status !== 200) count(seen.resent, `${kind}: status ${status}`);
      const content = Buffer.from(await response.arrayBuffer());
      return status === 200 ? content : null;
    } catch (error) {
      // A response that has begun cannot be sent again by nginx.
      count(seen.resent, `${kind}: ${(error as Error).name === 'TimeoutError' ? 'timeout' : 'cut'}`);
      return null;
    }
  }

  const load: Load = {
    seen,
    followers: [followImages(url, () => isClosed), followImages(url, () => isClosed)],
    mustSucceed: true,
    async upload() {
      const picture = await makePicture({ seed: seed++ });
      const sha256 = createHash('sha256').update(picture).digest('hex');
      const { image } = await post('upload', () => {
        const form = new FormData();
        form.append('operations', JSON.stringify({ query: UPLOAD, variables: { input: { file: null } } }));
        form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
        form.append('0', new File([picture], 'picture.png', { type: 'image/png' }));
        return form;
      });
      if (!image) throw new Error('An upload without an error has no image.');
      if (image.sha256 !== sha256) seen.wrong.push(image.id);
      seen.uploads.push({ ...image, sha256 });
    },
    async generate() {
      // The key of the request makes it safe to repeat.
      const requestId = randomUUID();
      const input = { prompt: `a fox, ${requestId}`, requestId, waitSeconds: 0 };
      const { images } = await post('generation', () =>
        JSON.stringify({ query: GENERATE, variables: { input } }),
      );
      const [image] = images ?? [];
      if (!image) throw new Error('A generation without an error has no image.');
      const generation = { id: image.id, prompt: input.prompt };
      seen.generations.push(generation);
      return generation;
    },
    async stop() {
      isStopped = true;
      await Promise.all(clients);
    },
    async close() {
      isClosed = true;
      for (const follower of load.followers) follower.close();
      await agent.close();
    },
  };

  const repeat = async (work: () => Promise<unknown>, pauseMs = PAUSE_MS) => {
    while (!isStopped) {
      await work();
      await sleep(pauseMs);
    }
  };
  const bytes = async () => {
    const image = seen.uploads[Math.floor(Math.random() * seen.uploads.length)];
    const content = image && (await get('bytes', new URL(image.url).pathname));
    if (content && createHash('sha256').update(content).digest('hex') !== image.sha256)
      seen.wrong.push(image.id);
  };
  const list = () => get('list', `/graphql?query=${encodeURIComponent(LIST)}`);
  const clients = [
    repeat(load.upload),
    repeat(load.upload),
    repeat(load.generate, 4 * PAUSE_MS),
    repeat(list),
    repeat(bytes),
    repeat(bytes),
  ];
  return load;
}

/** Sends a query through nginx, without a repetition. */
export async function ask<Data>(url: URL, query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(REQUEST_SECONDS * 1000),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
