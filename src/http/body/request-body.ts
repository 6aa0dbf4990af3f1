import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { formatBytes, type Spooler } from '../../storage/spool/spool.ts';
import { badRequest } from './bad-request.ts';
import { openUploads, type Uploads } from './multipart.ts';

/** What the server hands to Yoga with a request. */
export interface ServerContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The files of the request; set when it is multipart. */
  uploads?: Uploads;
  /** What the body of JSON holds; set when the request has one. */
  params?: Promise<GraphQLParams>;
  /** What there is to answer already, with its errors masked (repeated-operations.ts). */
  result?: ExecutionResult;
}

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly maxUploadFiles: number;
}

/**
 * Reads the bodies of POSTs in place of Yoga: its limit costs a tenth of a millisecond a request, its multipart parser holds whole
 * files in memory, and it runs form posts, which any web page can send in its visitor's name. What is neither JSON nor multipart
 * gets 415.
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
          begin(req, res);
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
      // A client that hangs up does not stop an operation, and the operation needs its files to the end.
      return uploads ? { onExecuteDone: uploads.hold() } : undefined;
    },
  };
}

/** Whether the body is JSON, as its sender says. */
export function isJson({ method, headers }: IncomingMessage): boolean {
  const type = headers['content-type'];
  if (method !== 'POST' || type === undefined) return false;
  return type === 'application/json' || type.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/** @throws GraphQLError of 400 or 413 */
export async function readJson(
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
): Promise<GraphQLParams> {
  const tooLarge = () =>
    badRequest(
      413,
      `The request is larger than the ${formatBytes(maxBytes)} that are allowed (MAX_BODY_BYTES).`,
    );
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  begin(req, res);
  // By events and not by an iterator, which costs several promises a request.
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
    // A client that hangs up is no fault of the server, so the error is one of the request, which no log has.
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

/** Tells a client that waits for it (`Expect: 100-continue`) to send the body; not before somebody wants it. */
export function begin(req: IncomingMessage, res: ServerResponse): void {
  if (/^100-continue$/i.test(req.headers.expect ?? '')) res.writeContinue();
}

/**
 * Why a body cannot be read as its headers describe it; null where it can. JSON is UTF-8 (RFC 8259, 8.1), and a body is taken as it is.
 */
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

/** The parameters of a GET. @throws GraphQLError of 400 */
function parametersOf(given: URLSearchParams): GraphQLParams {
  const entries = PARAMETERS.flatMap((name) => {
    const [text, another] = given.getAll(name);
    if (another !== undefined) throw badRequest(400, `The parameter ${name} is there twice.`);
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
