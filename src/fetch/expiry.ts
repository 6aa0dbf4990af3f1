import { parseTime } from '../time.ts';

/** Longest address to parse, in characters; longer ones are not fetched either. */
const MAX_LENGTH = 8192;

/**
 * Returns when a signed address expires, according to its parameters; null when they do not say. Supported
 * are
 * - Signature Version 4 and its variants: `X-Amz-Date` and `X-Amz-Expires`; `X-Goog-…`, `x-oss-…` (Alibaba),
 *   `X-Tos-…` (Volcengine), `X-Obs-…` (Huawei);
 * - `se` of Azure's shared access signatures;
 * - `Expires` in seconds since 1970 beside a signature: S3's Signature Version 2, Google's V2, CloudFront,
 *   nginx `secure_link`, bunny.net;
 * - the claim `exp` of a JSON Web Token in any parameter (RFC 7519, 4.1.4): Supabase Storage, Cloudflare;
 * - `ex` of Discord and `oe` of Meta, hexadecimal seconds since 1970;
 * - `exp=…~hmac=…` of Akamai and Cloudinary, `q-sign-time=…;…` of Tencent.
 *
 * The time is a hint: it orders fetches and explains failures. Only the server knows whether an address still
 * works.
 */
export function expiryOf(address: string | URL): Date | null {
  const url = typeof address === 'string' ? URL.parse(address) : address;
  if (!url || url.href.length > MAX_LENGTH) return null;
  const parameters = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  for (const vendor of ['x-amz', 'x-goog', 'x-oss', 'x-tos', 'x-obs']) {
    const date = parseBasicTime(parameters.get(`${vendor}-date`));
    const seconds = wholeNumber(parameters.get(`${vendor}-expires`));
    if (date && seconds !== null) return validDate(date.getTime() + seconds * 1000);
  }
  const se = parameters.get('se');
  if (se && parameters.has('sig')) return parseAzureTime(se);
  const expires = wholeNumber(parameters.get('expires'));
  if (expires !== null && SIGNED.some((name) => parameters.has(name))) return dateOfSeconds(expires);
  for (const [name, signature] of HEXADECIMAL) {
    const digits = parameters.get(name);
    if (digits && /^[\da-f]{8}$/i.test(digits) && parameters.has(signature))
      return dateOfSeconds(Number.parseInt(digits, 16));
  }
  for (const value of parameters.values()) {
    const end = /^\d{9,11};(\d{9,11})$/.exec(value) ?? /(?:^|~)exp=(\d{9,11})~.*hmac=/.exec(value);
    const date = end ? dateOfSeconds(Number(end[1])) : expiryOfToken(value);
    if (date) return date;
  }
  return null;
}

/**
 * Parameters beside which `Expires` is the expiry of a signature; without one of them it may mean anything.
 */
const SIGNED = [
  'signature',
  'key-pair-id',
  'awsaccesskeyid',
  'googleaccessid',
  'policy',
  'sig',
  'sign',
  'token',
  'md5',
  'hmac',
];

/** Parameter of the expiry, and that of its signature: Discord, Meta. */
const HEXADECIMAL = [
  ['ex', 'hm'],
  ['oe', 'oh'],
] as const;

/** Returns the claim `exp` of a JSON Web Token. The signature is not checked: we do not have the key. */
function expiryOfToken(text: string): Date | null {
  const payload = /^[\w-]{2,2000}\.([\w-]{2,6000})\.[\w-]{0,2000}$/.exec(text)?.[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === 'number' ? dateOfSeconds(exp) : null;
  } catch {
    return null;
  }
}

const dateOfSeconds = (seconds: number) => validDate(seconds * 1000);

/** Parses `20261121T093500Z`. */
function parseBasicTime(text: string | undefined): Date | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (!parts) return null;
  const [, year, month, day, hour, minute, second] = parts;
  return parseTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Parses a time of Azure: a date, or a UTC time in minutes, seconds or fractions. */
function parseAzureTime(text: string): Date | null {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z)?$/.test(text)) return null;
  return parseTime(text);
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,13}$/.test(text) ? Number(text) : null;
}

function validDate(milliseconds: number): Date | null {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? null : date;
}
