import { parseTime } from '../time.ts';

/**
 * When a signed address stops working, as it says itself, or null when it does not say. Known are the ways of Azure (`se`, shared access
 * signatures), Amazon (`X-Amz-Date` and `X-Amz-Expires`, Signature Version 4), Google (`X-Goog-…`, the same), and the older
 * `Expires` in seconds since 1970, of S3's Signature Version 2, Google's V2 and CloudFront.
 *
 * It is a hint: it orders what is fetched and explains what failed. Whether an address still works only its server knows.
 */
export function expiryOf(address: string | URL): Date | null {
  const url = typeof address === 'string' ? URL.parse(address) : address;
  if (!url) return null;
  const parameters = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  for (const vendor of ['x-amz', 'x-goog']) {
    const date = parseBasicTime(parameters.get(`${vendor}-date`));
    const seconds = wholeNumber(parameters.get(`${vendor}-expires`));
    if (date && seconds !== null) return validDate(date.getTime() + seconds * 1000);
  }
  const se = parameters.get('se');
  if (se && parameters.has('sig')) return parseAzureTime(se);
  const expires = wholeNumber(parameters.get('expires'));
  if (expires !== null && SIGNED.some((name) => parameters.has(name))) return validDate(expires * 1000);
  return null;
}

/** Beside one of these `Expires` is the end of a signature; alone it may be anything. */
const SIGNED = ['signature', 'key-pair-id', 'awsaccesskeyid', 'googleaccessid', 'policy', 'sig'];

/** `20261121T093500Z` */
function parseBasicTime(text: string | undefined): Date | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (!parts) return null;
  const [, year, month, day, hour, minute, second] = parts;
  return parseTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Azure takes a date, or a time to the minute, to the second or finer, always in UTC. */
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
