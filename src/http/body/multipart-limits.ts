import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { InputError } from '../../errors.ts';
import { formatBytes } from '../../storage/spool/spool.ts';

interface MultipartLimits {
  /** Of `operations` and of `map`, in bytes. */
  readonly maxBodyBytes: number;
  readonly maxUploadFiles: number;
}

/** Headers of a part by their names in lower case, as busboy hands them on. */
type PartHeaders = Record<string, string[] | undefined>;

/**
 * Stands between a request and graphql-upload-minimal, whose parser (busboy) trusts what strangers send. Each of these was tried on version
 * 1.6.4: a malformed part header or a NUL in a file name makes the parser fail a second time with nobody listening, which ends the
 * process; a path of the map may lead through inherited properties and overwrite a built-in function; a file that no path asks for,
 * or a part that is sent twice, is never read, so that the request hangs; and so does a file that is cut behind a closing boundary.
 *
 * It also takes what the parser leaves aside: a part whose name is empty; a file that has no name, or an empty one; `operations` and `map` that come
 * as files, which a `Blob` in a browser's FormData is; other fields before them. What is refused is an InputError, BAD_REQUEST, TOO_LARGE or UPLOAD_INTERRUPTED.
 */
export function guardMultipart(request: IncomingMessage, limits: MultipartLimits): void {
  // The library compares the media type as it is written, and knows one spelling (RFC 9110, 8.3.1: it has no case).
  const type = (request.headers['content-type'] ?? '').replace(
    /^\s*multipart\/form-data\s*;/i,
    'multipart/form-data;',
  );
  if (!/;\s*boundary=/i.test(type))
    throw refusal('The Content-Type has no boundary. Let the client that makes the form set this header.');
  request.headers['content-type'] = type;
  request.pipe = ((parser: NodeJS.WritableStream) => {
    guardParser(parser, limits);
    return IncomingMessage.prototype.pipe.call(request, parser);
  }) as typeof request.pipe;
}

const refusal = (message: string) => new InputError('BAD_REQUEST', message);

function guardParser(parser: NodeJS.WritableStream, limits: MultipartLimits): void {
  parser.on('error', () => {});
  const emit = parser.emit.bind(parser) as (event: string, ...values: unknown[]) => boolean;
  // Stands for a name that is empty, which the parser takes for none.
  const noName = randomUUID();
  const seen = new Set<string>();
  const unended = new Set<Readable>();
  let operations: unknown;
  let map: Readonly<Record<string, unknown>> = {};
  let refused = false;

  function refuse(error: InputError): boolean {
    refused = true;
    return emit('error', error);
  }

  function watch(file: Readable): void {
    unended.add(file);
    const push = file.push.bind(file);
    file.push = (chunk, encoding) => {
      if (chunk === null) unended.delete(file);
      return push(chunk, encoding);
    };
  }

  // All of the body is parsed by then: what has not come to its end will not.
  const { _final: finish } = parser as unknown as Writable;
  (parser as unknown as Writable)._final = (done) => {
    if (unended.size === 0) return finish.call(parser as unknown as Writable, done);
    for (const file of unended) file.on('error', () => {}).destroy(cutForm());
    // The parser itself would wait for files that do not end any more.
    done(cutForm());
  };

  onPartHeaders(parser, (headers) => {
    const { name, filename } = readDisposition(headers);
    const isField = name === 'operations' || name === 'map';
    const isFile = !isField && name !== null && (filename !== null || Object.hasOwn(map, utf8Of(name)));
    // Without its header the parser leaves a part aside, and does not count it.
    if (!isField && !isFile) delete headers['content-disposition'];
    else writeDisposition(headers, { name: name || noName, filename: isFile ? filename || noName : null });
    // What the parser takes for a file whatever its header says else.
    if (isField && /octet-stream/i.test(headers['content-type']?.[0] ?? '')) delete headers['content-type'];
  });

  function receiveField(
    name: string,
    text: string,
    { valueTruncated }: { valueTruncated?: boolean },
  ): boolean {
    const part = JSON.stringify(name);
    if (seen.has(name)) return refuse(refusal(`The form has the part ${part} twice.`));
    seen.add(name);
    if (valueTruncated) {
      const message = `The part ${part} has more than the ${formatBytes(limits.maxBodyBytes)} that are allowed (MAX_BODY_BYTES).`;
      return refuse(new InputError('TOO_LARGE', message));
    }
    const value = parse(text);
    if (typeof value !== 'object' || value === null)
      return refuse(refusal(`The part ${part} is ${value === undefined ? 'no JSON' : 'no JSON object'}.`));
    if (name === 'operations') {
      operations = value;
      return emit('field', name, text, {});
    }
    if (!seen.has('operations')) return refuse(refusal('The part "map" comes before the part "operations".'));
    if (Array.isArray(value)) return refuse(refusal('The part "map" is no JSON object.'));
    const fault = faultOf(value as Record<string, unknown>, operations, limits.maxUploadFiles);
    if (fault) return refuse(fault);
    map = value as Record<string, unknown>;
    const named = Object.entries(map).map(([key, places]) => [key || noName, places]);
    return emit('field', name, JSON.stringify(Object.fromEntries(named)), {});
  }

  function receiveFile(name: string, file: Readable, info: { filename?: string }): boolean {
    watch(file);
    const shown = JSON.stringify(name === noName ? '' : name.slice(0, 100));
    const isSecond = seen.has(`file ${name}`);
    seen.add(`file ${name}`);
    if (!isSecond && seen.has('map'))
      return emit('file', name, file, {
        ...info,
        filename: info.filename === noName ? '' : info.filename,
      });
    file.on('error', () => {}).resume();
    return refuse(
      refusal(
        isSecond
          ? `The form has the part ${shown} twice.`
          : `The file ${shown} comes before the part "map". Send "operations" first, then "map", then the files.`,
      ),
    );
  }

  parser.emit = ((event: string, ...values: unknown[]): boolean => {
    const [first, second, third] = values;
    if (event === 'file' && refused) (second as Readable).on('error', () => {}).resume();
    if ((event === 'file' || event === 'field') && refused) return true;
    if (event === 'field') return receiveField(String(first), String(second), third as object);
    if (event === 'file') return receiveFile(String(first), second as Readable, third as object);
    if (event === 'filesLimit') return refuse(tooManyFiles(limits.maxUploadFiles));
    if (event === 'error') return emit(event, translate(first));
    if (event === 'close' && !refused) {
      const missing = ['operations', 'map']
        .filter((name) => !seen.has(name))
        .map((name) => JSON.stringify(name));
      if (missing.length > 0) refuse(refusal(`The form has no part ${missing.join(' and no part ')}.`));
    }
    return emit(event, ...values);
  }) as typeof parser.emit;
}

/**
 * Calls `listen` with the headers of each part before the parser reads them, and may change them. busboy 1.6.0 has no way for that: it sets its
 * parser of headers (`_hparser`) anew for each part, and that has one function to call (`cb`).
 */
function onPartHeaders(parser: object, listen: (headers: PartHeaders) => void): void {
  type HeaderParser = { cb: (headers: PartHeaders) => void };
  const known = new WeakSet<HeaderParser>();
  let current: HeaderParser | null = null;
  Object.defineProperty(parser, '_hparser', {
    get: () => current,
    set(next: HeaderParser | null) {
      current = next;
      if (next === null || known.has(next)) return;
      known.add(next);
      const { cb } = next;
      next.cb = (headers) => {
        listen(headers);
        cb.call(next, headers);
      };
    },
  });
}

/** A quoted value without its end goes to the end of the header, so that no character is looked at again for each quote. */
const PARAMETER = /;\s*([^=;\s]+)\s*=\s*("(?:\\.|[^"\\])*(?:"|\\?$)|[^;]*)/g;

/** The names of a part and of its file as they are written; null where there is none. `filename*` counts as a file name. */
function readDisposition(headers: PartHeaders): { name: string | null; filename: string | null } {
  const [text = ''] = headers['content-disposition'] ?? [];
  const parameters = new Map<string, string>();
  for (const [, key = '', value = ''] of text.matchAll(PARAMETER))
    parameters.set(key.toLowerCase(), unquote(value.trim()));
  return {
    name: parameters.get('name') ?? null,
    filename: parameters.get('filename*') ?? parameters.get('filename') ?? null,
  };
}

/** Writes names over empty ones, and leaves out the name of the file where it is null. What is there stays as it is written. */
function writeDisposition(headers: PartHeaders, names: { name: string; filename: string | null }): void {
  const [text = ''] = headers['content-disposition'] ?? [];
  let hasFilename = false;
  const written = text.replace(PARAMETER, (parameter, key: string, value: string) => {
    const isFilename = /^filename\*?$/i.test(key);
    hasFilename ||= isFilename && names.filename !== null;
    if (isFilename && names.filename === null) return '';
    if (unquote(value.trim()) !== '') return parameter;
    if (isFilename) return `; ${key}="${names.filename}"`;
    return /^name$/i.test(key) ? `; ${key}="${names.name}"` : parameter;
  });
  const filename = names.filename === null || hasFilename ? '' : `; filename="${names.filename}"`;
  headers['content-disposition'] = [written + filename];
}

/** Headers come byte for byte; names in them are UTF-8. */
const utf8Of = (text: string) => Buffer.from(text, 'latin1').toString('utf8');

function unquote(value: string): string {
  return value.startsWith('"') ? value.replace(/^"|"$/g, '').replaceAll(/\\(["\\])/g, '$1') : value;
}

/** Text that is not JSON is undefined. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** busboy's own errors in our words. */
function translate(error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  if (message === 'Unexpected end of form') return cutForm();
  if (message === 'Malformed part header')
    return refusal('A part of the form has a header that cannot be read.');
  return error;
}

function cutForm(): InputError {
  const message = 'The form ends before its closing boundary: it was cut on its way. Send it again.';
  return new InputError('UPLOAD_INTERRUPTED', message, { retryable: true });
}

function tooManyFiles(limit: number): InputError {
  const message = `The form has more files than the ${limit} that are allowed in one request (MAX_UPLOAD_FILES).`;
  return new InputError('TOO_LARGE', message);
}

/** What is wrong with a map: every file is for one or more places of its own, each a variable that is null so far. */
function faultOf(map: Record<string, unknown>, operations: unknown, maxFiles: number): InputError | null {
  const taken = new Set<string>();
  const entries = Object.entries(map);
  if (entries.length > maxFiles) return tooManyFiles(maxFiles);
  for (const [name, paths] of entries) {
    const part = JSON.stringify(name.slice(0, 100));
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string'))
      return refusal(`The map gives the file ${part} no list of places, such as ["variables.input.file"].`);
    if (paths.length === 0) return refusal(`The map gives the file ${part} no place.`);
    for (const path of paths as string[]) {
      const shown = JSON.stringify(path.slice(0, 100));
      if (taken.has(path)) return refusal(`The map gives the place ${shown} twice.`);
      taken.add(path);
      if (!leadsToNull(path, operations))
        return refusal(`The map puts ${part} at ${shown}, where no variable is null.`);
    }
  }
  return null;
}

/** Own properties only, and only below `variables`. */
function leadsToNull(path: string, operations: unknown): boolean {
  const steps = path.split('.');
  if (steps[0] !== 'variables') return false;
  let value = operations;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
    value = (value as Record<string, unknown>)[step];
  }
  return value === null;
}
