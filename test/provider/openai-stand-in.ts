/**
 * A stand-in for OpenAI's Images API, for tests. It checks the key and the body like the real API, responds
 * in the same shapes with real pictures, and fails on request. It has its own table of models instead of
 * OPENAI_MODELS, so that tests find mistakes in that table. stand-in.ts has stand-ins for all providers.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { makePngChunk } from '../pictures.ts';

export interface StandInRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Parsed JSON, or the fields of a form: files are `SentFile`, and several fields of one name are a list;
   * null: no body.
   */
  readonly body: Readonly<Record<string, unknown>> | null;
}

export interface SentFile {
  readonly filename: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Faults that the stand-in can simulate, each for one request. */
export type Fault =
  /** 429 with `retry-after: 7`. */
  | 'rate-limit'
  /** 429 because the account has no credit. */
  | 'quota'
  /** 500 as the API sends it. */
  | 'server-error'
  /** 503 in HTML, as a proxy before the API sends it. */
  | 'unavailable'
  /** 400 because of the prompt, as the gpt-image models send it. */
  | 'moderation'
  /** 400 because of the prompt, as the dall-e models send it. */
  | 'content-policy'
  /** 403 with a message. */
  | 'forbidden'
  /** 400 with a message of 20,000 characters that quotes the key. */
  | 'chatty'
  /** 307 to another path of the same server. */
  | 'redirect'
  /** Accepts the request and never responds. */
  | 'hang'
  /** Begins the response and never ends it. */
  | 'stall'
  /** Closes the connection within the response. */
  | 'truncated'
  /** 200 with a complete body that is not JSON. */
  | 'invalid-json'
  /** 200 with a URL instead of the picture. */
  | 'address'
  /** 200 with JSON of another shape. */
  | 'other-shape'
  /** 200 with an empty `data`. */
  | 'no-picture'
  /** 200 with a picture of no bytes. */
  | 'empty-picture'
  /** Resets the connection before any response. */
  | 'reset';

export interface OpenAiStandIn {
  /** Value for OPENAI_BASE_URL: `http://127.0.0.1:<port>/v1`. */
  readonly baseUrl: string;
  /** The only key that it accepts. */
  readonly apiKey: string;
  /** All requests, in order. */
  readonly requests: readonly StandInRequest[];
  /** Makes the next request fail. Several calls are queued. `headers` are added to the response. */
  failNext(fault: Fault, headers?: Readonly<Record<string, string>>): void;
  /** Closes all connections, including those that hang. */
  close(): Promise<void>;
}

const GPT_IMAGE = {
  sizes: ['1024x1024', '1024x1536', '1536x1024', 'auto'],
  qualities: ['low', 'medium', 'high', 'auto'],
};
const MODELS: Readonly<Record<string, { sizes: readonly string[]; qualities: readonly string[] }>> = {
  'gpt-image-1': GPT_IMAGE,
  'gpt-image-1-mini': GPT_IMAGE,
  'gpt-image-1.5': GPT_IMAGE,
  'chatgpt-image-latest': GPT_IMAGE,
  'dall-e-3': { sizes: ['1024x1024', '1024x1792', '1792x1024'], qualities: ['standard', 'hd'] },
  'dall-e-2': { sizes: ['256x256', '512x512', '1024x1024'], qualities: ['standard'] },
};
/** Models that accept any size within the rules of `fitsRules`. */
const FREE_SIZE = /^gpt-image-2(\.[56]-(flare|sunburst))?(-\d{4}-\d{2}-\d{2})?$/;
const COMMON = ['model', 'prompt', 'n', 'size', 'quality', 'user'];
const GPT_ONLY = [
  'background',
  'moderation',
  'output_format',
  'output_compression',
  'safety_identifier',
  'complexity',
];
const DALL_E_ONLY = ['response_format', 'style'];

export async function openOpenAiStandIn(options: { apiKey?: string } = {}): Promise<OpenAiStandIn> {
  const apiKey = options.apiKey ?? 'sk-standin-4f1b2c3d4e5f60718293a4b5c6d7e8f9';
  const requests: StandInRequest[] = [];
  const faults: { fault: Fault; headers: Readonly<Record<string, string>> }[] = [];

  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const body = await readBody(request);
    const seen = { method, path: url, headers: headers as Record<string, string>, body };
    const requestId = `req_${createHash('sha256')
      .update(`request ${requests.push(seen)}`)
      .digest('hex')
      .slice(0, 32)}`;
    response.setHeader('x-request-id', requestId);
    response.setHeader('openai-version', '2020-10-01');
    const next = faults.shift();
    for (const [name, value] of Object.entries(next?.headers ?? {})) response.setHeader(name, value);
    if (next !== undefined) return fail(next.fault, { request, response, apiKey });
    const path = url.replace(/^\/v1/, '');
    sendResponse(response, await openAiResponse({ ...seen, path }, { apiKey, keyOf: bearerOf }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    apiKey,
    requests,
    failNext: (fault, headers = {}) => faults.push({ fault, headers }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Returns the API's response. The path of the request is relative to the base URL. */
export async function openAiResponse(
  seen: StandInRequest,
  options: { apiKey: string; keyOf: (headers: StandInRequest['headers']) => string | undefined },
): Promise<StandInResponse> {
  return findError(seen, options) ?? { status: 200, body: await draw(seen.body ?? {}) };
}

export function bearerOf(headers: StandInRequest['headers']): string | undefined {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
}

export interface StandInResponse {
  readonly status: number;
  readonly body: unknown;
}

export function sendResponse(response: ServerResponse, { status, body }: StandInResponse): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function error(
  status: number,
  message: string,
  more: { type?: string; param?: string; code?: string } = {},
): StandInResponse {
  const { type = 'invalid_request_error', param = null, code = null } = more;
  return { status, body: { error: { message, type, param, code } } };
}

/** Returns the first error that the real API would find; null: none. */
function findError(
  { method, path, headers, body }: StandInRequest,
  { apiKey, keyOf }: { apiKey: string; keyOf: (headers: StandInRequest['headers']) => string | undefined },
): StandInResponse | null {
  const edit = path === '/images/edits';
  if (method !== 'POST' || !(edit || path === '/images/generations'))
    return error(404, `Invalid URL (${method} ${path})`);
  const key = keyOf(headers);
  if (key === undefined) return error(401, "You didn't provide an API key.");
  if (key !== apiKey) {
    const masked = `${key.slice(0, 8)}${'*'.repeat(Math.max(0, key.length - 12))}${key.slice(-4)}`;
    const message = `Incorrect API key provided: ${masked}. You can find your API key at https://platform.openai.com/account/api-keys.`;
    return error(401, message, { code: 'invalid_api_key' });
  }
  const type = edit ? /^multipart\/form-data\b/ : /^application\/json\b/;
  if (!type.test(headers['content-type'] ?? '') || body === null) {
    return error(400, 'We could not parse the JSON body of your request.');
  }
  return (edit ? checkFiles(body) : null) ?? checkBody(body);
}

function checkFiles(body: Readonly<Record<string, unknown>>): StandInResponse | null {
  if (String(body.model).startsWith('dall-e-3')) {
    return error(400, "Value must be 'dall-e-2' or a gpt-image model.", { param: 'model' });
  }
  const images = [body.image ?? body['image[]']].flat() as (SentFile | undefined)[];
  if (images.length > 16) return error(400, 'Too many images.', { param: 'image' });
  for (const file of [...images, body.mask as SentFile | undefined].slice(0, body.mask ? undefined : -1)) {
    if (!file?.bytes?.length) return error(400, "Missing required parameter: 'image'.", { param: 'image' });
    if (!['image/png', 'image/jpeg', 'image/webp'].includes(file.type)) {
      const message = `Invalid file 'image': unsupported mimetype ('${file.type}'). Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'.`;
      return error(400, message, { param: 'image', code: 'unsupported_file_mimetype' });
    }
  }
  return null;
}

function checkBody(body: Readonly<Record<string, unknown>>): StandInResponse | null {
  const model = String(body.model ?? 'dall-e-2');
  const known = MODELS[model];
  if (known === undefined && !FREE_SIZE.test(model)) {
    return error(400, `The model '${model}' does not exist.`, { param: 'model', code: 'model_not_found' });
  }
  const files = 'image' in body || 'image[]' in body ? ['image', 'image[]', 'mask'] : [];
  const allowed = [...COMMON, ...files, ...(model.startsWith('dall-e') ? DALL_E_ONLY : GPT_ONLY)];
  const unknown = Object.keys(body).find((name) => !allowed.includes(name));
  if (unknown !== undefined) {
    return error(400, `Unknown parameter: '${unknown}'.`, { param: unknown, code: 'unknown_parameter' });
  }
  if (typeof body.prompt !== 'string' || body.prompt === '') {
    return error(400, "Missing required parameter: 'prompt'.", {
      param: 'prompt',
      code: 'missing_required_parameter',
    });
  }
  const maxLength = model === 'dall-e-2' ? 1000 : model === 'dall-e-3' ? 4000 : 32_000;
  if (body.prompt.length > maxLength) {
    const message = `Invalid 'prompt': string too long. Expected a string with maximum length ${maxLength}, but got a string with length ${body.prompt.length} instead.`;
    return error(400, message, { param: 'prompt', code: 'string_above_max_length' });
  }
  return (
    checkValue(
      'size',
      body.size,
      known?.sizes ?? (fitsRules(body.size) ? [String(body.size)] : GPT_IMAGE.sizes),
    ) ??
    checkValue('quality', body.quality, known?.qualities ?? qualitiesOf(model)) ??
    checkValue('style', body.style, ['vivid', 'natural']) ??
    checkValue('output_format', body.output_format, ['png', 'jpeg', 'webp']) ??
    checkBackground(model, body)
  );
}

function checkBackground(model: string, body: Readonly<Record<string, unknown>>): StandInResponse | null {
  if (body.background !== 'transparent') return null;
  if (/^gpt-image-2(-\d|$)/.test(model)) {
    return error(400, 'Transparent background is not supported for this model.', { param: 'background' });
  }
  if (body.output_format !== 'jpeg') return null;
  return error(400, 'Transparent background is not supported for JPEG output format.', {
    param: 'background',
  });
}

function checkValue(param: string, value: unknown, allowed: readonly string[]): StandInResponse | null {
  if (value === undefined || allowed.includes(String(value))) return null;
  const quoted = allowed.map((choice) => `'${choice}'`);
  const list = `${quoted.slice(0, -1).join(', ')}, and ${quoted.at(-1)}`;
  return error(400, `Invalid value: '${value}'. Supported values are: ${list}.`, {
    param,
    code: 'invalid_value',
  });
}

function qualitiesOf(model: string): readonly string[] {
  return model.startsWith('gpt-image-2.') ? [...GPT_IMAGE.qualities, 'xhigh', 'max'] : GPT_IMAGE.qualities;
}

function fitsRules(size: unknown): boolean {
  const [, width = 0, height = 0] = (/^(\d+)x(\d+)$/.exec(String(size)) ?? []).map(Number);
  const [short, long, area] = [Math.min(width, height), Math.max(width, height), width * height];
  return (
    width % 16 === 0 &&
    height % 16 === 0 &&
    long <= 3840 &&
    long <= 3 * short &&
    area >= 655_360 &&
    area <= 8_294_400
  );
}

/**
 * Makes the picture larger than 200 kB, by a private chunk, when the prompt has the words "in great detail".
 */
export function enlargeDetailed(png: Buffer, prompt: unknown): Buffer {
  if (!String(prompt).includes('in great detail')) return png;
  const chunk = makePngChunk('prVt', Buffer.alloc(200_000, createHash('sha256').update(png).digest()));
  // Inserts the chunk after the signature and IHDR.
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

async function draw(body: Readonly<Record<string, unknown>>): Promise<unknown> {
  const [model, prompt] = [String(body.model), String(body.prompt)];
  const size = body.size === undefined || body.size === 'auto' ? '1024x1024' : String(body.size);
  const [width = 0, height = 0] = size.split('x').map(Number);
  const [r = 0, g = 0, b = 0] = createHash('sha256').update(prompt).digest();
  const transparent = body.background === 'transparent';
  const format = String(body.output_format ?? 'png') as 'png' | 'jpeg' | 'webp';
  const channels = transparent ? 4 : 3;
  const background = { r, g, b, alpha: transparent ? 0.5 : 1 };
  const picture = await sharp({ create: { width, height, channels, background } })
    .toFormat(format)
    .toBuffer();
  const b64_json = enlargeDetailed(picture, prompt).toString('base64');
  if (model.startsWith('dall-e')) {
    const revised = model === 'dall-e-3' ? { revised_prompt: `A detailed picture of ${prompt}.` } : {};
    return { created: 1_713_833_628, data: [{ ...revised, b64_json }] };
  }
  return {
    created: 1_713_833_628,
    background: transparent ? 'transparent' : 'opaque',
    output_format: format,
    quality: body.quality === undefined || body.quality === 'auto' ? 'high' : body.quality,
    size,
    data: [{ b64_json }],
    usage: {
      total_tokens: 4170,
      input_tokens: 10,
      output_tokens: 4160,
      input_tokens_details: { text_tokens: 10, image_tokens: 0 },
    },
  };
}

export async function fail(
  fault: Fault,
  { request, response, apiKey }: { request: IncomingMessage; response: ServerResponse; apiKey: string },
): Promise<void> {
  switch (fault) {
    case 'rate-limit':
      if (!response.hasHeader('retry-after')) response.setHeader('retry-after', '7');
      return sendResponse(
        response,
        error(
          429,
          'Rate limit reached for images per minute: Limit 5, Used 5, Requested 1. Please try again in 7s.',
          {
            type: 'input-images',
            code: 'rate_limit_exceeded',
          },
        ),
      );
    case 'quota':
      return sendResponse(
        response,
        error(429, 'You exceeded your current quota, please check your plan and billing details.', {
          type: 'insufficient_quota',
          code: 'insufficient_quota',
        }),
      );
    case 'server-error':
      return sendResponse(
        response,
        error(500, 'The server had an error while processing your request. Sorry about that!', {
          type: 'server_error',
        }),
      );
    case 'unavailable':
      response.writeHead(503, { 'content-type': 'text/html' });
      response.end('<html><body><h1>503 Service Unavailable</h1></body></html>');
      return;
    case 'moderation':
      return sendResponse(
        response,
        error(400, 'Your request was rejected by the safety system. safety_violations=[violence].', {
          type: 'image_generation_user_error',
          code: 'moderation_blocked',
        }),
      );
    case 'content-policy':
      return sendResponse(
        response,
        error(400, 'Your request was rejected as a result of our safety system.', {
          code: 'content_policy_violation',
        }),
      );
    case 'forbidden':
      return sendResponse(response, error(403, 'Your organization must be verified to use this model.'));
    case 'chatty':
      return sendResponse(response, error(400, `The key ${apiKey}\nwas used. ${'Words. '.repeat(3000)}`));
    case 'redirect':
      response.writeHead(307, { location: '/elsewhere' });
      response.end();
      return;
    case 'hang':
      return;
    case 'stall':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"created":1,"data":[{"b64_json":"iVBO');
      return;
    case 'truncated':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"created":1,"data":[{"b64_json":"iVBO', () => request.socket.destroy());
      return;
    case 'invalid-json':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"created":1,"data":[{"b64_json":"${'iVBO'.repeat(20_000)}`);
      return;
    case 'address':
      return sendResponse(response, {
        status: 200,
        body: { created: 1, data: [{ url: 'http://127.0.0.1/a.png', revised_prompt: 'A red fox.' }] },
      });
    case 'other-shape':
      return sendResponse(response, { status: 200, body: { pictures: ['iVBO'] } });
    case 'no-picture':
      return sendResponse(response, { status: 200, body: { created: 1, data: [] } });
    case 'empty-picture':
      return sendResponse(response, { status: 200, body: { created: 1, data: [{ b64_json: '' }] } });
    case 'reset':
      request.socket.resetAndDestroy();
      return;
  }
}

export async function readBody(request: IncomingMessage): Promise<StandInRequest['body']> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const type = request.headers['content-type'] ?? '';
  return type.startsWith('multipart/form-data') ? parseForm(bytes, type) : parseJson(bytes.toString('utf8'));
}

async function parseForm(bytes: Buffer, type: string): Promise<StandInRequest['body']> {
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData();
  const body: Record<string, unknown> = {};
  for (const name of new Set(form.keys())) {
    const values = await Promise.all(
      form.getAll(name).map(async (value): Promise<string | SentFile> => {
        if (typeof value === 'string') return value;
        return { filename: value.name, type: value.type, bytes: Buffer.from(await value.arrayBuffer()) };
      }),
    );
    body[name] = values.length > 1 ? values : values[0];
  }
  return body;
}

function parseJson(text: string): StandInRequest['body'] {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' ? (body as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
