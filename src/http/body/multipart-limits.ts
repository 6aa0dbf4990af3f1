import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { InputError } from '../../errors.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import { type FileMap, faultOfMap } from './file-map.ts';
import { badForm, interruptedForm, tooManyFiles, translateParserError } from './form-errors.ts';
import { onPartHeaders, type PartHeaders, readDisposition, writeDisposition } from './part-headers.ts';

interface MultipartLimits {
  /** Limit of `operations` and of `map`, in bytes. */
  readonly maxBodyBytes: number;
  readonly maxUploadFiles: number;
}

/**
 * Checks a form before graphql-upload-minimal reads it. Its parser (busboy) trusts the client. Each of these
 * was tried on version 1.6.4:
 *
 * - A malformed part header, or a NUL in a file name, makes the parser fail a second time without a listener.
 *   That ends the process.
 * - A path of the map may lead through inherited properties and overwrite a built-in function.
 * - A file without a path in the map, a part that is sent twice, and a file that is cut behind a closing
 *   boundary are never read, and the request hangs.
 *
 * Also accepts what the parser ignores: a part with an empty name, a file with an empty name or none,
 * `operations` and `map` that come as files (a `Blob` in a browser's FormData), and other fields before them.
 * @throws InputError BAD_REQUEST; the request fails with BAD_REQUEST, TOO_LARGE or UPLOAD_INTERRUPTED later.
 */
export function limitMultipart(request: IncomingMessage, limits: MultipartLimits): void {
  // The library knows one spelling of the media type, which has no case (RFC 9110, 8.3.1).
  const type = (request.headers['content-type'] ?? '').replace(
    /^\s*multipart\/form-data\s*;/i,
    'multipart/form-data;',
  );
  if (!/;\s*boundary=/i.test(type))
    throw badForm('The Content-Type has no boundary. Let the client that makes the form set this header.');
  request.headers['content-type'] = type;
  request.pipe = ((parser: NodeJS.WritableStream) => {
    limitParser(parser, limits);
    return IncomingMessage.prototype.pipe.call(request, parser);
  }) as typeof request.pipe;
}

/** State of a form while it is read. */
interface Form {
  readonly limits: MultipartLimits;
  /** Emits an event of the parser to the library. */
  readonly emit: (event: string, ...values: unknown[]) => boolean;
  /** Stands for an empty name, which the parser takes for no name. */
  readonly noName: string;
  readonly seen: Set<string>;
  readonly unended: Set<Readable>;
  operations: unknown;
  map: FileMap;
  isRefused: boolean;
}

function limitParser(parser: NodeJS.WritableStream, limits: MultipartLimits): void {
  parser.on('error', () => {});
  const form: Form = {
    limits,
    emit: parser.emit.bind(parser) as Form['emit'],
    noName: randomUUID(),
    seen: new Set(),
    unended: new Set(),
    operations: undefined,
    map: {},
    isRefused: false,
  };
  failUnendedFiles(parser, form);
  onPartHeaders(parser, (headers) => rewritePart(form, headers));
  parser.emit = ((event: string, ...values: unknown[]): boolean => {
    const [first, second, third] = values;
    if (event === 'file' && form.isRefused) (second as Readable).on('error', () => {}).resume();
    if ((event === 'file' || event === 'field') && form.isRefused) return true;
    if (event === 'field') return receiveField(form, String(first), String(second), third as object);
    if (event === 'file') return receiveFile(form, String(first), second as Readable, third as object);
    if (event === 'filesLimit') return refuse(form, tooManyFiles(limits.maxUploadFiles));
    if (event === 'error') return form.emit(event, translateParserError(first));
    if (event === 'close' && !form.isRefused) refuseMissingParts(form);
    return form.emit(event, ...values);
  }) as typeof parser.emit;
}

function refuse(form: Form, error: InputError): boolean {
  form.isRefused = true;
  return form.emit('error', error);
}

/**
 * Fails files that have not ended when the whole body is parsed. The parser would wait for them without end.
 */
function failUnendedFiles(parser: NodeJS.WritableStream, { unended }: Form): void {
  const writable = parser as unknown as Writable;
  const { _final: finish } = writable;
  writable._final = (done) => {
    if (unended.size === 0) return finish.call(writable, done);
    for (const file of unended) file.on('error', () => {}).destroy(interruptedForm());
    done(interruptedForm());
  };
}

function watchEnd(file: Readable, unended: Set<Readable>): void {
  unended.add(file);
  const push = file.push.bind(file);
  file.push = (chunk, encoding) => {
    if (chunk === null) unended.delete(file);
    return push(chunk, encoding);
  };
}

/** Rewrites the headers of a part so that the parser takes it for the field or the file that it is. */
function rewritePart({ map, noName }: Form, headers: PartHeaders): void {
  const { name, filename } = readDisposition(headers);
  const isField = name === 'operations' || name === 'map';
  const isFile = !isField && name !== null && (filename !== null || Object.hasOwn(map, utf8Of(name)));
  // The parser skips a part without this header, and does not count it.
  if (!isField && !isFile) delete headers['content-disposition'];
  else writeDisposition(headers, { name: name || noName, filename: isFile ? filename || noName : null });
  // The parser takes a part of this type for a file, whatever its other headers say.
  if (isField && /octet-stream/i.test(headers['content-type']?.[0] ?? '')) delete headers['content-type'];
}

/** Receives `operations` or `map`. */
function receiveField(
  form: Form,
  name: string,
  text: string,
  { valueTruncated }: { valueTruncated?: boolean },
): boolean {
  const { seen, limits, noName } = form;
  const part = JSON.stringify(name);
  if (seen.has(name)) return refuse(form, badForm(`The form has the part ${part} twice.`));
  seen.add(name);
  if (valueTruncated) {
    const message = `The part ${part} is larger than the limit of ${formatBytes(limits.maxBodyBytes)} (MAX_BODY_BYTES).`;
    return refuse(form, new InputError('TOO_LARGE', message));
  }
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null)
    return refuse(
      form,
      badForm(`The part ${part} is not ${value === undefined ? 'JSON' : 'a JSON object'}.`),
    );
  if (name === 'operations') {
    form.operations = value;
    return form.emit('field', name, text, {});
  }
  if (!seen.has('operations'))
    return refuse(form, badForm('The part "map" comes before the part "operations".'));
  if (Array.isArray(value)) return refuse(form, badForm('The part "map" is not a JSON object.'));
  const map = value as FileMap;
  const fault = faultOfMap(map, form.operations, limits.maxUploadFiles);
  if (fault) return refuse(form, fault);
  form.map = map;
  const named = Object.entries(map).map(([key, paths]) => [key || noName, paths]);
  return form.emit('field', name, JSON.stringify(Object.fromEntries(named)), {});
}

function receiveFile(form: Form, name: string, file: Readable, info: { filename?: string }): boolean {
  const { seen, noName } = form;
  watchEnd(file, form.unended);
  const shown = JSON.stringify(name === noName ? '' : name.slice(0, 100));
  const isSecond = seen.has(`file ${name}`);
  seen.add(`file ${name}`);
  if (!isSecond && seen.has('map')) {
    const filename = info.filename === noName ? '' : info.filename;
    return form.emit('file', name, file, { ...info, filename });
  }
  file.on('error', () => {}).resume();
  const message = isSecond
    ? `The form has the part ${shown} twice.`
    : `The file ${shown} comes before the part "map". Send "operations" first, then "map", then the files.`;
  return refuse(form, badForm(message));
}

function refuseMissingParts(form: Form): void {
  const missing = ['operations', 'map']
    .filter((name) => !form.seen.has(name))
    .map((name) => JSON.stringify(name));
  if (missing.length > 0) refuse(form, badForm(`The form has no part ${missing.join(' and no part ')}.`));
}

/** Headers come as bytes; names in them are UTF-8. */
const utf8Of = (text: string) => Buffer.from(text, 'latin1').toString('utf8');

/** Returns undefined for text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
