import type { PictureResponse } from '../../../provider/provider.ts';
import { storable } from '../../json.ts';
import type { RecordedResponse } from '../generation.ts';

/** Most bytes to record of a provider's metadata, and most characters of its revised prompt. */
const MAX_METADATA_BYTES = 64 * 1024;

/** Returns what to record of a provider's response: text that the database can hold, limited in length. */
export function recordedResponseOf({ picture, revisedPrompt, metadata }: PictureResponse): RecordedResponse {
  const kept = storable(metadata);
  const isLarge = Buffer.byteLength(JSON.stringify(kept)) > MAX_METADATA_BYTES;
  return storable({
    address: 'address' in picture ? picture.address : null,
    expiresAt: 'address' in picture ? (picture.expiresAt?.toISOString() ?? null) : null,
    revisedPrompt: revisedPrompt?.slice(0, MAX_METADATA_BYTES) ?? null,
    metadata: isLarge
      ? { dropped: `The provider's metadata was larger than ${MAX_METADATA_BYTES} bytes.` }
      : kept,
  });
}
