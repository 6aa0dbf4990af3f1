import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import type { Spooler } from '../../storage/spool/spool.ts';
import { badRequest } from './bad-request.ts';
import { openUploads, type Uploads } from './multipart.ts';

/** Context that the server passes to Yoga with a request. */
export interface ServerContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Files of the request; set if it is multipart. */
  uploads?: Uploads;
  /** Parameters from a JSON body; set if the request has one. */
  params?: Promise<GraphQLParams>;
  /** Result of the fast path, with masked errors (repeated-operations.ts). */
  result?: ExecutionResult;
}

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly maxUploadFiles: number;
}

/**
 * Reads the bodies of POST requests instead of Yoga. Yoga's limit costs a tenth of a millisecond a request,
 * its multipart parser keeps whole files in memory, and it runs form posts, which any web page can send in
 * the name of its visitor. A body that is neither JSON nor multipart gets status 415.
 */
export function useRequestBody(spooler: Spooler, limits: BodyLimits): Plugin<object, ServerContext> {
  return {
    onRequestParse({ request, url, serverContext, setRequestParser, endResponse, fetchAPI }) {
      if (request.method === 'GET') setRequestParser(() => parametersOf(url.searchParams));
      if (request.method !== 'POST') return;
      const { req, res } = serverContext;
      const { params } = serverContext;
      const type = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
      if (params) {
        setRequestParser(() => params);
      } else if (type === 'multipart/form-data') {
        setRequestParser(() => {
          sendContinue(req, res);
          const uploads = openUploads(spooler, limits);
          serverContext.uploads = uploads;
          res.once('close', uploads.hold());
          return uploads.receive(req, res);
        });
      } else {
        const message = 'Send the operation as application/json, or as multipart/form-data with files.';
        endResponse(
          fetchAPI.Response.json(
            { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] },
            { status: 415 },
          ),
        );
      }
    },
    onExecute({ args }) {
      const { uploads } = args.contextValue as unknown as ServerContext;
      // An operation goes on after its client hangs up, and needs its files until it ends.
      return uploads ? { onExecuteDone: uploads.hold() } : undefined;
    },
  };
}

/** Returns whether the Content-Type of a POST is JSON. */
export function isJson({ method, headers }: IncomingMessage): boolean {
  const type = headers['content-type'];
  if (method !== 'POST' || type === undefined) return false;
  return type === 'application/json' || type.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/** Reads a JSON body. @throws GraphQLError with status 400 or 413. */
export async function readJson(
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
): Promise<GraphQLParams> {
  const tooLarge = () =>
    badRequest(413, `The body is larger than the limit of ${formatBytes(maxBytes)} (MAX_BODY_BYTES).`);
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  sendContinue(req, res);
  // Events, because an iterator costs several promises a request.
  const body = await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else {
        req.removeAllListeners('data').pause();
        reject(tooLarge());
      }
    });
    req.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    // A client that hangs up is not an error of the server, so it is not logged.
    const broken = () => reject(badRequest(400, 'The request ended before its body did.'));
    req.on('error', broken);
    req.on('close', () => {
      if (!req.complete) broken();
    });
  });
  if (!isUtf8(body)) throw badRequest(400, 'The body is not UTF-8.');
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw badRequest(400, 'The body is not JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null) throw badRequest(400, 'The body is not a JSON object.');
  return parsed as GraphQLParams;
}

/**
 * Tells a client that waits (`Expect: 100-continue`) to send its body. Called just before the body is read.
 */
export function sendContinue(req: IncomingMessage, res: ServerResponse): void {
  if (/^100-continue$/i.test(req.headers.expect ?? '')) res.writeContinue();
}

/** Returns why the encoding of a body is refused; null: it is accepted. JSON is UTF-8 (RFC 8259, 8.1). */
export function faultOfEncoding({ headers }: IncomingMessage): string | null {
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'identity')
    return 'Send the body as it is, without a Content-Encoding.';
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset))
    return `Send the body in UTF-8; the charset is ${charset.slice(0, 40)}.`;
  return null;
}

const PARAMETERS = ['query', 'operationName', 'documentId', 'variables', 'extensions'] as const;

/** Reads the parameters of a GET. @throws GraphQLError with status 400. */
function parametersOf(query: URLSearchParams): GraphQLParams {
  const entries = PARAMETERS.flatMap((name) => {
    const [text, another] = query.getAll(name);
    if (another !== undefined) throw badRequest(400, `The query string has the parameter ${name} twice.`);
    if (!text) return [];
    return [[name, name === 'variables' || name === 'extensions' ? parseParameter(name, text) : text]];
  });
  return Object.fromEntries(entries) as GraphQLParams;
}

function parseParameter(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(400, `The parameter ${name} is not JSON.`);
  }
}
