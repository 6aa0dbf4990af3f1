/**
 * A stand-in for all providers, for tests. One server has the protocol of each provider below its own path.
 * It checks the keys, responds with real pictures, inline or by URL, and fails on request like the real
 * provider. Pictures at URLs are served from another port, as the real services use other hosts.
 * `environment` configures a server process to use it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import {
  bearerOf,
  enlargeDetailed,
  openAiResponse,
  readBody,
  type StandInRequest,
  type StandInResponse,
  sendResponse,
} from './openai-stand-in.ts';

/** Faults that the stand-in can simulate, each for one request for a picture. */
export type StandInFault =
  /** 429 with `retry-after: 7`. Google has the time in its body instead. */
  | 'rate-limit'
  | 'server-error'
  /** 503 in HTML, as a proxy before the API sends it. */
  | 'unavailable'
  /** The prompt or the picture is refused, in the provider's first way. */
  | 'moderation'
  /** The prompt or the picture is refused, in the provider's second way. */
  | 'moderated-later'
  /** The account has no credit. */
  | 'quota'
  /** 400 with a message that quotes the key. */
  | 'chatty'
  /** Accepts the request and never responds. */
  | 'hang'
  /** Begins the response and never ends it. */
  | 'stall'
  /** Closes the connection within the response. */
  | 'truncated'
  /** 200 with a complete body that is not JSON. */
  | 'invalid-json'
  /** 200 in the provider's shape, without a picture. */
  | 'no-picture'
  /** Resets the connection before any response. */
  | 'reset'
  /** Accepts the request, works for four seconds and resets the connection. */
  | 'late-reset'
  /**
   * Makes the picture at a URL that has expired and responds with 403. Providers without URLs send base64.
   */
  | 'expired-address'
  /**
   * Accepts the task, responds to the first polls with 500, then continues. Only for providers with polling.
   */
  | 'poll-error'
  /** Accepts the task and responds to every poll with 500. */
  | 'poll-down'
  /** Accepts the task and reports later that it failed. */
  | 'task-failed';

export const FAMILIES = [
  'openai',
  'google',
  'xai',
  'bfl',
  'fal',
  'replicate',
  'azure',
  'compatible',
] as const;
export type StandInFamily = (typeof FAMILIES)[number];

export interface ProviderStandIn {
  /** Values for the settings of the base URLs. */
  readonly baseUrls: Readonly<Record<StandInFamily, string>>;
  /** The only key that all of them accept. */
  readonly apiKey: string;
  /** All requests, in order, including those for pictures at URLs (`/pictures/…`). */
  readonly requests: readonly StandInRequest[];
  /** Number of pictures that it started to make and would charge for. */
  readonly paid: number;
  /** Settings with which a server uses the stand-in. */
  readonly environment: Readonly<Record<string, string>>;
  /** Makes the next request for a picture fail, at any provider. Several calls are queued. */
  failNext(fault: StandInFault): void;
  /** Delays every picture from now on. */
  delay(milliseconds: number): void;
  /** Closes all connections, including those that hang. */
  close(): Promise<void>;
}

/** State and helpers that a protocol needs to respond to one request. */
interface RequestContext {
  readonly apiKey: string;
  readonly base: string;
  readonly fault: StandInFault | null;
  /** Paints and stores a picture. @returns its URL */
  storePicture(prompt: unknown, width?: number, height?: number): Promise<string>;
  /** Tasks by id. `polls` is the number of polls so far. */
  readonly tasks: Map<
    string,
    { prompt: unknown; body: Record<string, unknown>; fault: StandInFault | null; polls: number }
  >;
}

/** The protocol of one provider. */
interface Protocol {
  readonly path: string;
  readonly keyOf: (headers: StandInRequest['headers']) => string | undefined;
  readonly wrongKey: (key: string) => StandInResponse;
  readonly faults: Partial<Record<StandInFault, StandInResponse>>;
  /** Responds to a request with the right key. Its path is relative to the base URL. */
  readonly respond: (
    seen: StandInRequest,
    context: RequestContext,
  ) => Promise<StandInResponse> | StandInResponse;
}

const HTTP = (status: number, body: unknown): StandInResponse => ({ status, body });

/** Faults after which the provider has done the work and charges for it; null: no fault. */
const PAID_FAULTS: ReadonlySet<StandInFault | null> = new Set([
  null,
  'hang',
  'stall',
  'truncated',
  'invalid-json',
  'no-picture',
  'expired-address',
  'poll-error',
  'poll-down',
  'late-reset',
]);

async function paint(prompt: unknown, width = 64, height = 64): Promise<Buffer> {
  const [r = 0, g = 0, b = 0] = createHash('sha256').update(String(prompt)).digest();
  const picture = sharp({ create: { width, height, channels: 3, background: { r, g, b } } });
  return enlargeDetailed(await picture.png().toBuffer(), prompt);
}

const openAiError = (status: number, code: string, message: string, more: object = {}): StandInResponse =>
  HTTP(status, { error: { message, type: 'invalid_request_error', param: null, code, ...more } });

const OPENAI_FAULTS: Protocol['faults'] = {
  'rate-limit': openAiError(429, 'rate_limit_exceeded', 'Rate limit reached for images per minute.'),
  'server-error': openAiError(500, 'server_error', 'The server had an error while processing your request.'),
  moderation: openAiError(400, 'moderation_blocked', 'Your request was rejected by the safety system.'),
  'moderated-later': openAiError(400, 'content_policy_violation', 'Your request was rejected.'),
  quota: openAiError(429, 'insufficient_quota', 'You exceeded your current quota.'),
  'no-picture': HTTP(200, { created: 1, data: [] }),
};

/** Deployments of Azure's stand-in. */
const DEPLOYMENTS: Readonly<Record<string, string>> = { pictures: 'gpt-image-1', posters: 'dall-e-3' };

const PROTOCOLS: Readonly<Record<StandInFamily, Protocol>> = {
  openai: {
    path: '/openai/v1',
    keyOf: bearerOf,
    wrongKey: () => openAiError(401, 'invalid_api_key', 'Incorrect API key provided.'),
    faults: OPENAI_FAULTS,
    respond: (seen, { apiKey }) => openAiResponse(seen, { apiKey, keyOf: bearerOf }),
  },
  azure: {
    path: '/azure/openai/v1',
    keyOf: (headers) => headers['api-key'],
    wrongKey: () =>
      HTTP(401, { error: { code: '401', message: 'Access denied due to invalid subscription key.' } }),
    faults: {
      ...OPENAI_FAULTS,
      moderation: openAiError(400, 'contentFilter', 'The prompt was filtered.', {
        inner_error: {
          code: 'ResponsibleAIPolicyViolation',
          content_filter_results: { violence: { filtered: true } },
        },
      }),
    },
    respond: (seen, { apiKey }) => {
      const model = DEPLOYMENTS[String(seen.body?.model)];
      if (!model) return openAiError(404, 'DeploymentNotFound', 'The API deployment does not exist.');
      if (model === 'dall-e-3' && seen.body?.response_format !== 'b64_json')
        return HTTP(200, { created: 1, data: [{ url: 'https://dalle.example/a.png?se=2026-11-21&sig=x' }] });
      return openAiResponse(
        { ...seen, body: { ...seen.body, model } },
        { apiKey, keyOf: (headers) => headers['api-key'] },
      );
    },
  },
  compatible: {
    path: '/compatible/v1',
    keyOf: bearerOf,
    wrongKey: () => openAiError(401, 'invalid_api_key', 'Wrong key.'),
    faults: OPENAI_FAULTS,
    respond: async ({ path, body }, context) => {
      if (path === '/images/edits')
        return HTTP(200, { data: [{ b64_json: (await paint(body?.prompt)).toString('base64') }] });
      if (path !== '/images/generations') return openAiError(404, 'not_found', `There is no ${path}.`);
      const [width, height] = String(body?.size ?? '64x64')
        .split('x')
        .map(Number);
      const revised_prompt = `${body?.prompt}, but better`;
      if (body?.model === 'by-address' || context.fault === 'expired-address') {
        return HTTP(200, {
          created: 1,
          data: [{ url: await context.storePicture(body?.prompt, width, height), revised_prompt }],
        });
      }
      const base64 = (await paint(body?.prompt, width, height)).toString('base64');
      const picture =
        body?.model === 'by-data' ? { url: `data:image/png;base64,${base64}` } : { b64_json: base64 };
      return HTTP(200, { created: 1, data: [{ ...picture, revised_prompt }] });
    },
  },
  google: {
    path: '/google/v1beta',
    keyOf: (headers) => headers['x-goog-api-key'],
    wrongKey: () =>
      HTTP(400, {
        error: {
          code: 400,
          message: 'API key not valid. Please pass a valid API key.',
          status: 'INVALID_ARGUMENT',
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
        },
      }),
    faults: {
      'rate-limit': HTTP(429, {
        error: {
          code: 429,
          message: 'You exceeded your current quota.',
          status: 'RESOURCE_EXHAUSTED',
          details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' }],
        },
      }),
      'server-error': HTTP(500, {
        error: { code: 500, message: 'An internal error has occurred.', status: 'INTERNAL' },
      }),
      moderation: HTTP(200, {
        candidates: [
          { finishReason: 'IMAGE_SAFETY', finishMessage: 'Unable to show the generated image.', index: 0 },
        ],
        usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 },
      }),
      'moderated-later': HTTP(200, {
        promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
        usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 },
      }),
      'no-picture': HTTP(200, {
        candidates: [
          { content: { role: 'model', parts: [{ text: 'A fox.' }] }, finishReason: 'STOP', index: 0 },
        ],
        usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3, totalTokenCount: 10 },
      }),
    },
    respond: async ({ path, body }) => {
      const model = /^\/models\/(gemini-[\w.-]+):generateContent$/.exec(path)?.[1];
      if (!model)
        return HTTP(404, {
          error: { code: 404, message: `models/${path} is not found.`, status: 'NOT_FOUND' },
        });
      const contents = (body?.contents ?? []) as { parts: { text?: string }[] }[];
      const parts = contents[0]?.parts ?? [];
      const data = (await paint(parts[0]?.text)).toString('base64');
      return HTTP(200, {
        candidates: [
          {
            content: {
              role: 'model',
              parts: [
                { text: 'Here it is.' },
                { inlineData: { mimeType: 'image/png', data }, thoughtSignature: 'c2ln' },
              ],
            },
            finishReason: 'STOP',
            index: 0,
          },
        ],
        usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 1290, totalTokenCount: 1297 },
        modelVersion: model,
        responseId: 'r1',
      });
    },
  },
  xai: {
    path: '/xai/v1',
    keyOf: bearerOf,
    wrongKey: (key) =>
      HTTP(400, {
        code: 'Client specified an invalid argument',
        error: `Incorrect API key provided: ${key.slice(0, 2)}***${key.slice(-2)}. You can obtain an API key from https://console.x.ai.`,
      }),
    faults: {
      'rate-limit': HTTP(429, { code: 'Some resource has been exhausted', error: 'Too many requests.' }),
      'server-error': HTTP(500, { code: 'Internal error', error: 'Service error.' }),
      moderation: HTTP(400, {
        code: 'Client specified an invalid argument',
        error: 'Generated image rejected by content moderation.',
      }),
      'moderated-later': HTTP(200, { data: [{ url: '', respect_moderation: false }] }),
      'no-picture': HTTP(200, { data: [] }),
    },
    respond: async ({ path, body }) => {
      if (!/^\/images\/(generations|edits)$/.test(path)) return HTTP(404, { code: 'Not found', error: path });
      const b64_json = (await paint(body?.prompt)).toString('base64');
      return HTTP(200, {
        data: [{ b64_json, revised_prompt: '', respect_moderation: true }],
        usage: { cost_in_usd_ticks: 200_000_000 },
      });
    },
  },
  bfl: {
    path: '/bfl/v1',
    keyOf: (headers) => headers['x-key'],
    wrongKey: () => HTTP(403, { detail: 'Not authenticated - Invalid Authentication' }),
    faults: {
      'rate-limit': HTTP(429, { detail: 'Too many active tasks.' }),
      'server-error': HTTP(500, { detail: 'Internal Server Error' }),
      quota: HTTP(402, { detail: 'Insufficient credits.' }),
    },
    respond: async ({ method, path, body }, context) => {
      if (method === 'POST') {
        const id = randomUUID();
        context.tasks.set(id, { prompt: body?.prompt, body: { ...body }, fault: context.fault, polls: 0 });
        return HTTP(200, {
          id,
          polling_url: `${context.base}/get_result?id=${id}`,
          cost: 4,
          input_mp: 0,
          output_mp: 1,
        });
      }
      const id = new URL(path, context.base).searchParams.get('id') ?? '';
      const task = context.tasks.get(id);
      if (!task) return HTTP(404, { id, status: 'Task not found', result: null });
      task.polls++;
      const reasons = { details: { 'Moderation Reasons': ['Violence'] } };
      if (task.fault === 'moderation')
        return HTTP(200, { id, status: 'Request Moderated', result: null, ...reasons });
      if (task.fault === 'moderated-later')
        return HTTP(200, { id, status: 'Content Moderated', result: null, ...reasons });
      if (task.fault === 'task-failed') return HTTP(200, { id, status: 'Error', result: null });
      if (task.fault === 'no-picture') return HTTP(200, { id, status: 'Ready', result: null });
      if (String(task.prompt).includes('slow') && task.polls === 1)
        return HTTP(200, { id, status: 'Queued', result: null, progress: 0.1 });
      const { width, height } = task.body as { width?: number; height?: number };
      const sample = await context.storePicture(task.prompt, width, height);
      return HTTP(200, {
        id,
        status: 'Ready',
        result: {
          sample,
          prompt: task.prompt,
          seed: task.body.seed ?? 42,
          start_time: 1,
          end_time: 3,
          duration: 2,
        },
        progress: null,
      });
    },
  },
  fal: {
    path: '/fal',
    keyOf: (headers) => /^Key (.+)$/.exec(headers.authorization ?? '')?.[1],
    wrongKey: () => HTTP(401, { detail: 'Authentication is required to access this application.' }),
    faults: {
      'rate-limit': HTTP(429, { message: 'Too many concurrent requests.' }),
      'server-error': HTTP(500, {
        detail: [{ loc: ['body'], msg: 'Internal server error', type: 'internal_server_error' }],
      }),
      moderation: HTTP(422, {
        detail: [
          {
            loc: ['body', 'prompt'],
            msg: 'The content could not be processed because it contained material flagged by a content checker.',
            type: 'content_policy_violation',
            url: 'https://docs.fal.ai/errors#content_policy_violation',
          },
        ],
      }),
      'no-picture': HTTP(200, { images: [], seed: 1, has_nsfw_concepts: [] }),
    },
    respond: async ({ body }, context) => {
      const { width, height } = (body?.image_size ?? {}) as { width?: number; height?: number };
      return HTTP(200, {
        images: [
          {
            url: await context.storePicture(body?.prompt, width, height),
            content_type: 'image/png',
            width,
            height,
          },
        ],
        timings: { inference: 0.5 },
        seed: body?.seed ?? 42,
        has_nsfw_concepts: [context.fault === 'moderated-later'],
        prompt: body?.prompt,
      });
    },
  },
  replicate: {
    path: '/replicate/v1',
    keyOf: bearerOf,
    wrongKey: () =>
      HTTP(401, {
        title: 'Unauthenticated',
        detail: 'You did not pass a valid authentication token',
        status: 401,
      }),
    faults: {
      'rate-limit': HTTP(429, { detail: 'Request was throttled.', status: 429, retry_after: 7 }),
      'server-error': HTTP(500, { detail: 'Internal server error.', status: 500 }),
      quota: HTTP(402, {
        title: 'Insufficient credit',
        detail: 'You have insufficient credit.',
        status: 402,
      }),
    },
    respond: async ({ method, path, body }, context) => {
      const prediction = async (id: string) => {
        const task = context.tasks.get(id);
        if (!task) return HTTP(404, { detail: 'Not found', status: 404 });
        const about = {
          id,
          urls: {
            get: `${context.base}/predictions/${id}`,
            cancel: `${context.base}/predictions/${id}/cancel`,
          },
        };
        const failed = { ...about, status: 'failed', output: null, metrics: { predict_time: 1.5 } };
        if (task.fault === 'moderation')
          return HTTP(201, { ...failed, error: 'NSFW content detected. Try a different prompt.' });
        if (task.fault === 'moderated-later')
          return HTTP(201, {
            ...failed,
            error: 'The input or output was flagged as sensitive. Please try again. (E005)',
          });
        if (task.fault === 'task-failed') return HTTP(201, { ...failed, error: 'CUDA out of memory' });
        if (task.fault === 'no-picture')
          return HTTP(201, { ...about, status: 'succeeded', output: [], error: null });
        const waits = task.fault?.startsWith('poll-') || String(task.prompt).includes('slow') ? 2 : 0;
        if (task.polls++ < waits)
          return HTTP(201, { ...about, status: 'processing', output: [], error: null, logs: '' });
        return HTTP(201, {
          ...about,
          status: 'succeeded',
          output: [await context.storePicture(task.prompt)],
          error: null,
          metrics: { predict_time: 1.5 },
        });
      };
      if (method === 'GET') return prediction(path.split('/').at(-1) ?? '');
      if (!/^\/models\/[\w-]+\/[\w.-]+\/predictions$/.test(path))
        return HTTP(404, { detail: 'Not found', status: 404 });
      const input = body?.input as Record<string, unknown>;
      const id = randomUUID().replaceAll('-', '').slice(0, 26);
      context.tasks.set(id, { prompt: input.prompt, body: input, fault: context.fault, polls: 0 });
      return prediction(id);
    },
  },
};

export async function openProviderStandIn(options: { apiKey?: string } = {}): Promise<ProviderStandIn> {
  const apiKey = options.apiKey ?? 'standin-key-4f1b2c3d4e5f60718293a4b5c6d7e8f9';
  const requests: StandInRequest[] = [];
  const faults: StandInFault[] = [];
  const pictures = new Map<string, { bytes: Buffer; expired: boolean }>();
  const tasks: RequestContext['tasks'] = new Map();
  let paid = 0;
  let delayMilliseconds = 0;

  const gallery = createServer((request, response) => {
    const { method = '', url = '' } = request;
    requests.push({ method, path: url, headers: request.headers as Record<string, string>, body: null });
    const picture = pictures.get(url.replace(/\?.*$/, ''));
    if (!picture) return response.writeHead(404).end();
    if (picture.expired)
      return response
        .writeHead(403, { 'content-type': 'application/xml' })
        .end('<Error><Code>AuthenticationFailed</Code></Error>');
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': picture.bytes.length });
    response.end(picture.bytes);
  });
  const galleryUrl = await listen(gallery);

  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const headers = request.headers as Record<string, string>;
    const body = await readBody(request);
    const seen = { method, path: url, headers, body };
    requests.push(seen);
    const family = FAMILIES.find((name) => url.startsWith(`${PROTOCOLS[name].path}/`));
    if (!family) return sendResponse(response, HTTP(404, { message: 'There is no such path.' }));
    const protocol = PROTOCOLS[family];
    const key = protocol.keyOf(headers);
    if (key !== apiKey) return sendResponse(response, protocol.wrongKey(key ?? ''));
    const fault = method === 'POST' ? (faults.shift() ?? null) : null;
    response.setHeader('x-request-id', `req_${requests.length}`);
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}${protocol.path}`;
    const context: RequestContext = {
      apiKey,
      base,
      fault,
      tasks,
      storePicture: async (prompt, width, height) => {
        const picturePath = `/pictures/${randomUUID()}.png`;
        const expired = fault === 'expired-address' || taskOf(url, tasks)?.fault === 'expired-address';
        pictures.set(picturePath, { bytes: await paint(prompt, width, height), expired });
        const query = `?se=${expired ? '2020' : '2099'}-01-01T00%3A00%3A00Z&sp=r&sig=abc`;
        return `${galleryUrl}${picturePath}${expired || family === 'bfl' ? query : ''}`;
      },
    };
    if (method === 'POST' && PAID_FAULTS.has(fault)) {
      paid++;
      await sleep(delayMilliseconds);
    }
    const failure = fault && protocol.faults[fault];
    if (failure) {
      if (failure.status === 429 && family !== 'google') response.setHeader('retry-after', '7');
      return sendResponse(response, failure);
    }
    if (fault === 'late-reset') await sleep(4000);
    if (fault && simulateFault(fault, { request, response, apiKey })) return;
    const task = method === 'GET' ? taskOf(url, tasks) : undefined;
    if (task?.fault === 'poll-down' || (task?.fault === 'poll-error' && task.polls++ < 2)) {
      return sendResponse(response, protocol.faults['server-error'] as StandInResponse);
    }
    sendResponse(
      response,
      await protocol.respond({ ...seen, path: url.slice(protocol.path.length) }, context),
    );
  });
  const origin = await listen(server);

  const baseUrls = Object.fromEntries(
    FAMILIES.map((name) => [name, origin + PROTOCOLS[name].path]),
  ) as Record<StandInFamily, string>;
  return {
    baseUrls,
    apiKey,
    requests,
    get paid() {
      return paid;
    },
    environment: {
      OPENAI_API_KEY: apiKey,
      OPENAI_BASE_URL: baseUrls.openai,
      GEMINI_API_KEY: apiKey,
      GEMINI_BASE_URL: baseUrls.google,
      XAI_API_KEY: apiKey,
      XAI_BASE_URL: baseUrls.xai,
      BFL_API_KEY: apiKey,
      BFL_BASE_URL: baseUrls.bfl,
      FAL_KEY: apiKey,
      FAL_BASE_URL: baseUrls.fal,
      REPLICATE_API_TOKEN: apiKey,
      REPLICATE_BASE_URL: baseUrls.replicate,
      AZURE_OPENAI_API_KEY: apiKey,
      AZURE_OPENAI_BASE_URL: baseUrls.azure,
      AZURE_OPENAI_DEPLOYMENTS: 'pictures=gpt-image-1,posters=dall-e-3',
      OPENAI_COMPATIBLE_API_KEY: apiKey,
      OPENAI_COMPATIBLE_BASE_URL: baseUrls.compatible,
      OPENAI_COMPATIBLE_MODELS: 'plain,by-address,by-data,edits=gpt-image-1',
      ALLOW_PRIVATE_SOURCES: '127.0.0.1',
    },
    failNext: (fault) => faults.push(fault),
    delay: (milliseconds) => {
      delayMilliseconds = milliseconds;
    },
    close: async () => {
      await Promise.all(
        [server, gallery].map(
          (each) =>
            new Promise<void>((resolve) => {
              each.close(() => resolve());
              each.closeAllConnections();
            }),
        ),
      );
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function taskOf(url: string, tasks: RequestContext['tasks']) {
  const id = URL.parse(url, 'http://x')?.searchParams.get('id') ?? url.split('/').at(-1) ?? '';
  return tasks.get(id);
}

/** Simulates the faults that are equal for all protocols. @returns whether `fault` is one of them */
function simulateFault(
  fault: StandInFault,
  { request, response, apiKey }: { request: IncomingMessage; response: ServerResponse; apiKey: string },
): boolean {
  const startResponse = () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
    return '{"created":1,"data":[{"b64_json":"iVBO';
  };
  switch (fault) {
    case 'unavailable':
      response.writeHead(503, { 'content-type': 'text/html' });
      response.end('<html><body><h1>503 Service Unavailable</h1></body></html>');
      return true;
    case 'chatty': {
      const message = `The key ${apiKey}\nwas used. ${'Words. '.repeat(3000)}`;
      const error = { message, code: 400, status: 'INVALID_ARGUMENT' };
      sendResponse(response, HTTP(400, { error, message, detail: message }));
      return true;
    }
    case 'hang':
      return true;
    case 'stall':
      response.write(startResponse());
      return true;
    case 'truncated':
      response.write(startResponse(), () => request.socket.destroy());
      return true;
    case 'invalid-json':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"created":1,"data":[{"b64_json":"${'iVBO'.repeat(20_000)}`);
      return true;
    case 'reset':
    case 'late-reset':
      request.socket.resetAndDestroy();
      return true;
    default:
      return false;
  }
}
