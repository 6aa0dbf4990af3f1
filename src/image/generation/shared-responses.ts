/**
 * Responses of providers that could not be stored at once, in the database: a worker of another machine
 * stores the picture when the machine that received it is lost.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Database } from '../../database/database.ts';
import type { KeptResponse, ProviderCall, ProviderResponses } from './provider-responses.ts';

/** Responses that workers of other machines find, too. */
export interface SharedResponses extends ProviderResponses {
  /** Keeps a response of this directory in the database, too. Does nothing when it is there already. */
  share(call: ProviderCall): Promise<void>;
  /** Deletes responses from the database that no image will be made of. */
  sweepShared(): Promise<void>;
}

/** Larger responses stay on the disk of their machine alone. */
const MAX_BYTES = 128 * 1024 * 1024;

const IS_SHARED = 'SELECT FROM kept_responses WHERE uuid = $1 AND call = $2';
const SHARE = `INSERT INTO kept_responses (uuid, call, said, bytes) VALUES ($1, $2, $3::text::json, $4)
  ON CONFLICT DO NOTHING`;
const FIND = 'SELECT said::text AS said FROM kept_responses WHERE uuid = $1 AND call = $2';
const BYTES = 'SELECT bytes FROM kept_responses WHERE uuid = $1 AND call = $2';
const DISCARD = 'DELETE FROM kept_responses WHERE uuid = $1 AND call = $2';
const SWEEP = `DELETE FROM kept_responses k WHERE NOT EXISTS (
  SELECT FROM generated_images i JOIN generations g ON g.image_id = i.id
  WHERE i.uuid = k.uuid AND g.calls = k.call AND g.state NOT IN ('done', 'cancelled'))`;

/** Adds the database to the responses of a directory. The embedded database lies on the same disk. */
export function shareResponses(local: ProviderResponses, database: Database): SharedResponses {
  if (database.kind === 'pglite') return { ...local, share: async () => {}, sweepShared: async () => {} };
  const keyOf = ({ uuid, number }: ProviderCall) => [uuid, number];
  return {
    ...local,
    async share(call) {
      const kept = await local.find(call);
      // A response that is an address is in the row of its generation.
      if (!kept?.open || (await database.query(IS_SHARED, keyOf(call))).length > 0) return;
      const bytes = await buffer(kept.open());
      if (bytes.length > MAX_BYTES) return;
      await database.query(SHARE, [...keyOf(call), JSON.stringify(kept.said), bytes]);
    },
    async find(call): Promise<KeptResponse | null> {
      const kept = await local.find(call);
      if (kept) return kept;
      const [row] = await database.query<{ said: string }>(FIND, keyOf(call));
      if (!row) return null;
      return {
        said: JSON.parse(row.said),
        open: () => Readable.from(readBytes(database, keyOf(call))),
      };
    },
    async discard(call) {
      await local.discard(call);
      await database.query(DISCARD, keyOf(call));
    },
    sweepShared: async () => void (await database.query(SWEEP)),
  };
}

async function* readBytes(database: Database, key: unknown[]): AsyncGenerator<Uint8Array> {
  const [bytes] = await database.queryBytes(BYTES, key);
  if (bytes) yield bytes;
}
