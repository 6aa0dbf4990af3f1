import { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { ErrorCode } from './errors.ts';

export type { Logger };

/**
 * Makes the log: text for people or JSON for machines. It goes to standard error, because standard output has
 * the results of commands.
 *
 * - Control characters are escaped, so that no input can forge a line.
 * - Secrets are removed from every line: tokens, keys and signed URLs by their form, and `secrets` by their
 *   value.
 */
export function makeLog(options: {
  level: string;
  format: 'text' | 'json';
  colorize: boolean;
  /** Values to remove from every line. Default: none. */
  secrets?: readonly string[];
  /** Default: standard error. */
  destination?: Writable;
}): Logger {
  const destination = options.format === 'json' ? jsonTo(options.destination) : textTo(options);
  const removeSecrets = makeScrubber(options.secrets ?? []);
  return pino(
    {
      level: options.level,
      serializers: { err: serializeError },
      hooks: { streamWrite: (line) => escapeJsonLine(removeSecrets(line)) },
    },
    destination,
  );
}

/**
 * Serializes an error. DATABASE_UNAVAILABLE gets no stack: an outage has its own log line, and the stack adds
 * nothing.
 */
function serializeError(error: Error & { code?: unknown }): object {
  return error.code === ('DATABASE_UNAVAILABLE' satisfies ErrorCode)
    ? { type: error.name, message: error.message }
    : pino.stdSerializers.err(error);
}

const jsonTo = (destination: Writable | undefined) =>
  destination ?? pino.destination({ dest: 2, sync: true });

function textTo({ colorize, destination }: { colorize: boolean; destination?: Writable }): Writable {
  const printer = pretty({
    destination: destination ?? 2,
    sync: true,
    colorize,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  });
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      printer.write(escapeForTerminal(line));
      done();
    },
  });
}

/**
 * Escapes every character of a JSON line that could control a terminal, begin a line or change the direction
 * of text. Only the frames of a stack keep their line breaks. They begin with `at`, and no line of the log
 * does.
 */
export function escapeForTerminal(line: string): string {
  return `${JSON.stringify(JSON.parse(line), (key, value) => {
    if (typeof value !== 'string') return value;
    return key === 'stack'
      ? value
          .split(/\n(?=\s+at )/)
          .map(escapeControls)
          .join('\n')
      : escapeControls(value);
  })}\n`;
}

/**
 * Control characters C0 and C1, line and paragraph separators, and characters that change the direction of
 * text.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern searches for control characters.
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Escapes control characters that JSON leaves unescaped. They occur only within strings, where an escape
 * means the same.
 */
const escapeJsonLine = (line: string) => line.replace(UNESCAPED_IN_JSON, unicodeEscape);
const UNESCAPED_IN_JSON = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const unicodeEscape = (each: string) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Escapes the characters that could control a terminal or begin a line. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL_CHARACTERS, unicodeEscape);
}

/** Forms of secrets, with their replacements. A secret in JSON ends at a quotation mark or a backslash. */
const SECRET_FORMS: readonly (readonly [form: RegExp, replacement: string])[] = [
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
/** Shorter secrets are not removed, because they would also match other text. */
const MIN_SECRET_LENGTH = 8;

/** Makes a function that removes secrets from a line. */
export function makeScrubber(secrets: readonly string[]): (line: string) => string {
  const known = [...new Set(secrets)]
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (line) => {
    let text = line;
    for (const secret of known) if (text.includes(secret)) text = text.replaceAll(secret, '…');
    for (const [form, replacement] of SECRET_FORMS) text = text.replace(form, replacement);
    return text;
  };
}
