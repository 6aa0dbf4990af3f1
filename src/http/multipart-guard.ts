import { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { badRequest } from './bad-request.ts';

/**
 * Stands between a request and graphql-upload-minimal, whose parser trusts what strangers send. Each of these was tried on version
 * 1.6.4: a malformed part header or a NUL in a file name makes the parser fail a second time with nobody listening, which ends the
 * process; a path of the map may lead through inherited properties and overwrite a built-in function; a file that no path asks for,
 * or a part that is sent twice, is never read, so that the request hangs; and so does a file that is cut behind a closing boundary.
 */
export function guardMultipart(request: IncomingMessage): void {
  // The library compares the media type as it is written, and knows one spelling (RFC 9110, 8.3.1: it has no case).
  const type = request.headers['content-type'] ?? '';
  request.headers['content-type'] = type.replace(/^\s*multipart\/form-data\s*;/i, 'multipart/form-data;');
  request.pipe = ((parser: NodeJS.WritableStream) => {
    guardParser(parser);
    return IncomingMessage.prototype.pipe.call(request, parser);
  }) as typeof request.pipe;
}

function guardParser(parser: NodeJS.WritableStream): void {
  parser.on('error', () => {});
  const emit = parser.emit.bind(parser) as (event: string, ...values: unknown[]) => boolean;
  const files = new Set<unknown>();
  const unended = new Set<Readable>();
  let operations: unknown;
  let refused = false;

  function refuse(message: string): boolean {
    refused = true;
    return emit('error', badRequest(400, message));
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
    for (const file of unended) file.on('error', () => {}).destroy(new Error('Unexpected end of form'));
    finish.call(parser as unknown as Writable, done);
  };

  parser.emit = ((event: string, ...values: unknown[]): boolean => {
    if (refused && (event === 'field' || event === 'file')) {
      if (event === 'file') (values[1] as NodeJS.ReadableStream).on('error', () => {}).resume();
      return true;
    }
    const [name, value] = values;
    if (event === 'field' && name === 'operations') operations = parse(value);
    if (event === 'field' && name === 'map') {
      const fault = faultOf(parse(value), operations);
      if (fault) return refuse(fault);
    }
    if (event === 'file') {
      watch(value as Readable);
      if (files.has(name)) {
        (value as NodeJS.ReadableStream).on('error', () => {}).resume();
        return refuse(`The part ${JSON.stringify(name)} was sent twice.`);
      }
      files.add(name);
    }
    return emit(event, ...values);
  }) as typeof parser.emit;
}

/** Text that is not JSON is undefined here; the library says so itself. */
function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}

/** What is wrong with a map: every file is for one or more places of its own, each a variable that is null so far. */
function faultOf(map: unknown, operations: unknown): string | null {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return null;
  const taken = new Set<string>();
  for (const [name, paths] of Object.entries(map)) {
    const part = JSON.stringify(name.slice(0, 100));
    if (!Array.isArray(paths)) continue;
    if (paths.length === 0) return `The map gives the file ${part} no place.`;
    for (const path of paths) {
      if (typeof path !== 'string') continue;
      const shown = JSON.stringify(path.slice(0, 100));
      if (taken.has(path)) return `The map gives the place ${shown} twice.`;
      taken.add(path);
      if (!leadsToNull(path, operations))
        return `The map puts ${part} at ${shown}, where no variable is null.`;
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
