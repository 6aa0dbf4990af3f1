import type { Occurrence } from './durability.ts';

/**
 * Returns the body of an event: `type`, `timestamp` and `data`. It is made once, so that every attempt sends
 * the same bytes. The shape of each type is in docs/webhooks.md.
 */
export function payloadOf({ type, data, createdAt }: Occurrence, publicUrl: string | null): string {
  const shaped = type.startsWith('image.') ? imageOf(data, publicUrl) : data;
  return JSON.stringify({ type, timestamp: createdAt.toISOString(), data: shaped });
}

/** The address needs no signature to be known, and never expires. */
function imageOf({ path, ...image }: Occurrence['data'], publicUrl: string | null) {
  const url =
    typeof path === 'string' && path.startsWith('/') && publicUrl !== null ? publicUrl + path : null;
  return { id: Buffer.from(`Image:${image.uuid}`).toString('base64'), ...image, path: path || null, url };
}
