import { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { ErrorCode } from './errors.ts';

export type { Logger };

/**
 * The log: lines for people or JSON for machines, on standard error, so that what a command prints stays clean. Control
 * characters of what strangers send are escaped by JSON, and by us for people, so that no line can be forged. What lets somebody in is
 * left out of every line, whoever wrote it there: tokens, keys and signed addresses by their shape, and `secrets` by their value.
 */
export function makeLog(options: {
  level: string;
  format: 'text' | 'json';
  colorize: boolean;
  secrets?: readonly string[];
  /** Standard error, without it. */
  destination?: Writable;
}): Logger {
  const destination = options.format === 'json' ? jsonTo(options.destination) : textTo(options);
  const withoutSecrets = makeScrubber(options.secrets ?? []);
  return pino(
    {
      level: options.level,
      serializers: { err: describe },
      hooks: { streamWrite: (line) => escapedJson(withoutSecrets(line)) },
    },
    destination,
  );
}

/** That the database is away is said once. What could not be done meanwhile is told without a stack, which says nothing of it. */
function describe(error: Error & { code?: unknown }): object {
  return error.code === ('DATABASE_UNAVAILABLE' satisfies ErrorCode)
    ? { type: error.name, message: error.message }
    : pino.stdSerializers.err(error);
}

const jsonTo = (destination: Writable | undefined) =>
  destination ?? pino.destination({ dest: 2, sync: true });

function textTo({ colorize, destination }: { colorize: boolean; destination?: Writable }): Writable {
  const people = pretty({
    destination: destination ?? 2,
    sync: true,
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  });
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      people.write(printable(line));
      done();
    },
  });
}

/**
 * A line of JSON in which no text has a character that a terminal obeys or that begins a line or turns its direction: each is written as its
 * escape. Only the lines of a stack stay lines; they begin with `at`, and none of ours does.
 */
export function printable(line: string): string {
  return `${JSON.stringify(JSON.parse(line), (key, value) => {
    if (typeof value !== 'string') return value;
    return key === 'stack'
      ? value
          .split(/\n(?=\s+at )/)
          .map(escaped)
          .join('\n')
      : escaped(value);
  })}\n`;
}

/** C0 and C1, line and paragraph separators, and the marks and overrides of direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** What JSON leaves as it is of these stands in its texts only, where an escape says the same. */
const escapedJson = (line: string) => line.replace(UNESCAPED, codeOf);
const UNESCAPED = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const codeOf = (each: string) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`;

function escaped(text: string): string {
  return text.replace(OBEYED, codeOf);
}

/** What is looked for stands in JSON, where a quotation mark or a backslash ends it. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|Token|Key) +[^\s"\\,]{8,}/gi, '$1 …'],
  [/\bfx_[\w-]{20,}/g, 'fx_…'],
  [/\b(sk|pk|r8|xai|ghp|gho|ghs|github_pat)[-_][\w-]{16,}/g, '$1-…'],
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, 'eyJ…'],
  [
    /([?&](?:signature|sig|token|code|key|api_key|access_token|X-Amz-(?:Signature|Credential|Security-Token)|X-Goog-(?:Signature|Credential)|se|sp|sv)=)[^&\s"\\]+/gi,
    '$1…',
  ],
  [/(fixative_session=)[^;\s"\\]+/g, '$1…'],
  [/(\w+:\/\/[^\s:/@"\\]+:)[^\s@/"\\]+@/g, '$1…@'],
];
/** A shorter secret would be found in what has nothing to do with it. */
const SHORTEST_SECRET = 8;

/** @returns a function that leaves out of a line what lets somebody in. */
export function makeScrubber(secrets: readonly string[]): (line: string) => string {
  const known = [...new Set(secrets)]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (line) => {
    let text = line;
    for (const secret of known) if (text.includes(secret)) text = text.replaceAll(secret, '…');
    for (const [shape, stead] of SECRETS) text = text.replace(shape, stead);
    return text;
  };
}
