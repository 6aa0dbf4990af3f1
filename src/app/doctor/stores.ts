import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Config, S3Config } from '../../config.ts';
import type { Database } from '../../database/database.ts';
import { StoreError } from '../../errors.ts';
import { ARRIVALS_PREFIX } from '../../storage/arrivals/s3.ts';
import { openMarker } from '../../storage/stores/filesystem/marker.ts';
import type { S3Store } from '../../storage/stores/s3/s3.ts';
import type { BlobSource } from '../../storage/stores/store.ts';
import { ask } from './ask.ts';
import { type Finding, failure, messageOf, ok, skipped, warning } from './report.ts';

/** Record of the store `filesystem` in the database. */
export interface MarkerRecord {
  /** Identity of the directory; null: none is on record. */
  readonly identity: string | null;
  readonly hasCopies: boolean;
}

export const NO_RECORD: MarkerRecord = { identity: null, hasCopies: false };

export async function readMarkerRecord({ query }: Database): Promise<MarkerRecord> {
  const [tables] = await query<{ there: boolean }>(
    `SELECT to_regclass('copies') IS NOT NULL AND to_regclass('shared_values') IS NOT NULL AS there`,
  );
  if (!tables?.there) return NO_RECORD;
  const [row] = await query<{ identity: string | null; copies: boolean }>(
    `SELECT (SELECT value FROM shared_values WHERE name = 'directory of filesystem') AS identity,
       EXISTS (SELECT FROM copies WHERE store = 'filesystem' AND state <> 'PENDING') AS copies`,
  );
  return { identity: row?.identity ?? null, hasCopies: row?.copies ?? false };
}

/**
 * Checks the marker of the store `filesystem`, as a start does, without making one.
 * @param record null: the database cannot be asked, so only the presence of the marker is checked.
 */
export async function checkMarker(
  { imageDirectory: root }: Config,
  record: MarkerRecord | null,
): Promise<Finding[]> {
  const marker = await openMarker({
    name: 'filesystem',
    root,
    mayClaim: false,
    identity: record && { keep: async (id) => record.identity ?? id, replace: async () => {} },
    refused: (what, cause) => new StoreError(`filesystem ${what}`, 'filesystem', { cause }),
  });
  if (!marker.isThere && record && !record.hasCopies)
    return [ok(`${root} has no marker yet; the first start makes it.`)];
  if (!marker.isThere && record === null)
    return [skipped(`${root} has no marker. Whether it must have one is recorded in the database.`)];
  return marker.require().then(
    () => [
      ok(
        record
          ? `${root} is the directory of the store filesystem.`
          : `${root} has a marker. Whether it is the right one is recorded in the database.`,
      ),
    ],
    (error) => [
      failure(messageOf(error), 'Mount the disk, correct GENERATED_IMAGE_DIR, or claim the directory.'),
    ],
  );
}

/**
 * Checks the rights in the bucket by putting, reading, listing and deleting a small object. It is among the
 * uploads, where the server removes what a killed check leaves.
 */
export async function checkS3(config: Config): Promise<Finding[]> {
  const { store, bucket } = await openProbeStore(config);
  const key = randomUUID();
  const bytes = Buffer.from(`Fixative checks that it can write here: ${key}\n`);
  const source: BlobSource = {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    open: () => Readable.from([bytes], { objectMode: false }),
  };
  const findings: Finding[] = [];
  const attempt = async (work: () => Promise<string | null>) => {
    const fault = await work().catch(messageOf);
    if (fault) findings.push(failure(fault, 'Correct what the message names, and run this again.'));
    return fault === null;
  };
  try {
    const isPut = await attempt(() => store.put(key, source).then(() => null));
    if (isPut) {
      await attempt(async () => {
        const { stream } = await store.open(key);
        return bytes.equals(await buffer(stream)) ? null : 's3 returned other bytes than it was given.';
      });
      await attempt(async () => {
        for await (const object of store.list()) if (object.key === key) return null;
        return 's3 does not list an object that it has just taken.';
      });
    }
    await attempt(() => store.delete(key).then(() => null));
  } finally {
    await store.close();
  }
  if (findings.length > 0) return findings;
  return [ok(`The bucket ${bucket} allows to put, read, list and delete objects.`)];
}

async function openProbeStore({ s3 }: Config): Promise<{ store: S3Store; bucket: string }> {
  const { openS3Store } = await import('../../storage/stores/s3/s3.ts');
  const { publicUrl: _, ...settings } = s3 as S3Config;
  const prefix = `${settings.prefix.replace(/\/+$/, '')}/${ARRIVALS_PREFIX}`;
  return { store: await openS3Store({ name: 's3', ...settings, prefix }), bucket: settings.bucket };
}

const MAX_ORIGINS = 5;
const UPLOAD_HEADERS = 'content-type,x-amz-checksum-sha256';

/** Asks S3 whether scripts of the origins that use this server may PUT to the addresses of upload targets. */
export async function checkUploadOrigins(config: Config): Promise<Finding[]> {
  const origins = originsOf(config);
  if (origins.length === 0)
    return [skipped('Neither PUBLIC_URL nor CORS_ORIGINS names an origin whose scripts would upload.')];
  const { store, bucket } = await openProbeStore(config);
  try {
    const content = { bytes: 1, mimeType: 'image/png', sha256: '0'.repeat(64) };
    const { url } = await store.presignPut(randomUUID(), content, new Date(Date.now() + 60_000));
    const refused: string[] = [];
    for (const origin of origins) if (!(await mayPut(url, origin))) refused.push(origin);
    if (refused.length === 0) return [ok(`S3 takes uploads from scripts of ${origins.join(', ')}.`)];
    const rule = {
      AllowedOrigins: origins,
      AllowedMethods: ['PUT'],
      AllowedHeaders: UPLOAD_HEADERS.split(','),
      MaxAgeSeconds: 3600,
    };
    return [
      warning(
        `S3 refuses uploads from scripts of ${refused.join(', ')} (CORS).`,
        `If browsers send files to upload targets, add this rule to the CORS configuration of the bucket ${bucket}: ${JSON.stringify(rule)}`,
      ),
    ];
  } finally {
    await store.close();
  }
}

function originsOf({ publicUrl, corsOrigins }: Config): string[] {
  const named = corsOrigins.filter((origin) => !origin.includes('*'));
  const own = publicUrl === null ? [] : [new URL(publicUrl).origin];
  return [...new Set([...own, ...named])].slice(0, MAX_ORIGINS);
}

/** Sends the preflight request of a browser: https://fetch.spec.whatwg.org/#cors-preflight-request */
async function mayPut(url: string, origin: string): Promise<boolean> {
  const response = await ask(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': UPLOAD_HEADERS,
    },
  });
  const listed = (name: string) =>
    (response.headers.get(name) ?? '').split(',').map((each) => each.trim().toLowerCase());
  const headers = listed('access-control-allow-headers');
  return (
    response.status < 300 &&
    ['*', origin].includes(response.headers.get('access-control-allow-origin') ?? '') &&
    listed('access-control-allow-methods').some((method) => method === 'put' || method === '*') &&
    (headers.includes('*') || UPLOAD_HEADERS.split(',').every((name) => headers.includes(name)))
  );
}

/** Returns the key that signs addresses of this server; null before the first start has made it. */
export async function readSigningKey({ signingKeys, dataDirectory }: Config): Promise<string | null> {
  if (signingKeys?.[0]) return signingKeys[0];
  const text = await readFile(path.join(dataDirectory, 'signing-key'), 'utf8').catch(() => '');
  return text.trim() || null;
}
