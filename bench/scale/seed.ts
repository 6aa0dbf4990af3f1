import type { Database } from '../../src/database/database.ts';

/** User with a tenth of all images. */
export const HEAVY = 'user-heavy';

/** User with some thirty images, whatever the total. */
export const LIGHT = 'user-last';

/** Images that one statement inserts. */
const STEP = 100_000;

/**
 * Fills an empty database as years of use would: rows first, in order of creation, then the indexes, which is
 * faster. A row follows from its number, so that every run makes the same database.
 *
 * - users: one has a tenth of all images; of rows / 100 others few have many and most have few;
 * - tags: up to four of 400, the commonest on every fifth image, the rarest on every thousandth;
 *   `rare-of-heavy` on ten images of the heavy user; `others` on a twentieth of all, and on none of the heavy
 *   user; `rare` on 30 images of all;
 * - prompts: eight words of 50,000, each the rarer the higher its number (Zipf's law), `w1` on half of all;
 *   `needle` on 30;
 * - metadata: `channel` of 200, the first far ahead; `batch` of ten images each;
 * - 2 % failed, 1 % in the trash, 2 % parts of others, 2 % private; `newcomer` as tool, model and provider of
 *   30;
 * - four images share the same bytes; each blob has two copies, of which one in 100,000 is missing.
 */
export async function seedScale(
  database: Database,
  rows: number,
  note: (text: string) => void,
): Promise<void> {
  const indexes = await database.query<{ name: string; definition: string }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
     FROM pg_index WHERE NOT indisprimary AND indrelid = ANY('{generated_images,image_tags,copies,blobs}'::regclass[])`,
  );
  await database.executeSql(indexes.map(({ name }) => `DROP INDEX ${name}`).join('; '));
  // One step after another, so that rows are on disk in order of creation.
  for (let from = 1; from <= rows; from += STEP) {
    for (const text of statements(rows, from, Math.min(from + STEP - 1, rows))) {
      await database.transaction(async ({ query }) => {
        // Without triggers and foreign keys: this function does their work.
        await query(`SELECT set_config('session_replication_role', 'replica', true)`);
        await query(text);
      });
    }
  }
  note(`${rows} rows; tags and indexes …`);
  await database.query(
    `INSERT INTO image_tags (user_id, tag, created_at, image_id)
     SELECT i.user_id, tag, i.created_at, i.id FROM generated_images i, unnest(i.tags) tag
     WHERE i.deleted_at IS NULL AND i.part_of IS NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
  );
  for (const { definition } of indexes) {
    await database.transaction(async ({ query }) => {
      await query(
        `SELECT set_config('maintenance_work_mem', '1GB', true), set_config('max_parallel_maintenance_workers', '1', true)`,
      );
      await query(definition);
    });
  }
  await database.executeSql(
    `SELECT setval(pg_get_serial_sequence('generated_images', 'id'), ${rows}), setval(pg_get_serial_sequence('blobs', 'id'), ${rows})`,
  );
  await vacuumDatabase(database);
}

/**
 * Brings hint bits, the visibility map and GIN's pending lists to the state of a server that has run for a
 * while. The checkpoint comes first: commits do not wait for the disk here, and VACUUM marks no row as
 * all-visible before its commit is on disk.
 */
export async function vacuumDatabase(database: Pick<Database, 'executeSql'>): Promise<void> {
  await database.executeSql('CHECKPOINT');
  await database.executeSql('VACUUM ANALYZE');
}

function statements(rows: number, from: number, to: number): string[] {
  const chance = (salt: number, n = 'i') =>
    `((hashint8extended(${n}, ${salt}) & 1073741823)::float8 / 1073741824)`;
  /** SQL of a number from 1 to `count`; higher numbers are rarer (Zipf's law). */
  const zipf = (count: number, salt: number) => `floor(exp(ln(${count + 1}) * ${chance(salt)}))::int`;
  const some = (count: number) => Math.max(1, Math.floor(rows / count));
  const series = `generate_series(${from}::bigint, ${to}) i`;
  const blob = '(i + 3) / 4';
  const word = (salt: number) => `'w' || ${zipf(50_000, salt)}`;
  const tag = (salt: number) => `CASE WHEN ${chance(salt + 40)} < 0.5 THEN 'tag-' || ${zipf(400, salt)} END`;
  return [
    `INSERT INTO blobs (id, sha256, bytes, mime_type, width, height, thumbhash, created_at)
     SELECT ${blob}, encode(sha256((${blob})::text::bytea), 'hex'), 40000 + i * 7919 % 2000000, 'image/png', 1024, 1024,
       'k/cFDYJzd4iPZ4ioeIiIeIh3iHcHiIeH', ${at(rows)} FROM ${series} WHERE i % 4 = 1`,
    `INSERT INTO copies (blob_id, store, state, key, bytes, verified_at, seen_at, checked_at, fingerprint, created_at)
     SELECT ${blob}, store, CASE WHEN i % 100000 = 1 AND store = 'database' THEN 'MISSING' ELSE 'STORED' END,
       'key/' || ${blob}, 40000, ${at(rows)}, ${at(rows)}, ${at(rows)}, 'size=40000', ${at(rows)}
     FROM ${series}, unnest(ARRAY['filesystem', 'database']) store WHERE i % 4 = 1`,
    `INSERT INTO generated_images (id, uuid, request_id, user_id, tool_name, prompt, origin, provider, model, size, filename, storage_url,
       storage_provider, mime_type, bytes, sha256, width, height, tags, status, error_code, metadata, message_id, created_at, updated_at,
       blob_id, visibility, deleted_at, part_of, part)
     SELECT i, uuid, 'request-' || i / 2,
       CASE WHEN i % 10 = 0 THEN '${HEAVY}' WHEN i % ${some(30)} = ${Math.min(9, some(30) - 1)} THEN '${LIGHT}' ELSE 'user-' || 1 + floor(${some(100)} * ${chance(2)} ^ 3)::int END,
       CASE WHEN newcomer THEN 'newcomer' ELSE (ARRAY['generateUserImage', 'generateAvatar', 'generateComic', 'generateChart', 'editImage'])[${zipf(5, 3)}] END,
       concat_ws(' ', ${[11, 12, 13, 14, 15, 16, 17, 18].map(word).join(', ')}, CASE WHEN i % 2 = 0 THEN 'w1' END, CASE WHEN newcomer THEN 'needle' END),
       CASE WHEN i % 20 = 1 THEN 'uploaded' ELSE 'generated' END,
       CASE WHEN newcomer THEN 'newcomer' WHEN ${chance(4)} < 0.97 THEN 'openai' ELSE 'bfl' END,
       CASE WHEN newcomer THEN 'newcomer' ELSE (ARRAY['gpt-image-1', 'dall-e-3', 'gemini-2.5-flash-image', 'grok-2-image', 'flux-pro-1.1', 'sample'])[${zipf(6, 5)}] END,
       '1024x1024', CASE WHEN made THEN 'p' || i || '.png' END, CASE WHEN made THEN '/images/' || uuid || '/p' || i || '.png' ELSE '' END,
       CASE WHEN made THEN 'filesystem' END, CASE WHEN made THEN 'image/png' END, CASE WHEN made THEN 40000 + i * 7919 % 2000000 END,
       CASE WHEN made THEN encode(sha256((${blob})::text::bytea), 'hex') END, CASE WHEN made THEN 1024 END, CASE WHEN made THEN 1024 END,
       array_remove(ARRAY[${[21, 22, 23, 24].map(tag).join(', ')}, CASE WHEN i % ${some(10)} = 0 THEN 'rare-of-heavy' END,
         CASE WHEN i % 20 = 1 THEN 'others' END, CASE WHEN newcomer THEN 'rare' END], NULL),
       CASE WHEN made THEN 'success' WHEN i % 1000 = 3 THEN 'pending' ELSE 'failed' END, CASE WHEN NOT made THEN 'PROVIDER_REFUSED' END,
       jsonb_build_object('channel', 'channel-' || ${zipf(200, 6)}, 'locale', 'en', 'batch', i / 10), 'message-' || i, ${at(rows)}, ${at(rows)},
       CASE WHEN made THEN ${blob} END, CASE WHEN ${chance(7)} < 0.02 THEN 'private' ELSE 'public' END,
       CASE WHEN ${chance(8)} < 0.01 THEN ${at(rows)} + interval '1 hour' END, CASE WHEN i % 50 = 7 THEN i - 1 END, CASE WHEN i % 50 = 7 THEN 'original' END
     FROM (SELECT i, ${chance(1)} >= 0.02 AS made, i % ${some(30)} = ${Math.min(5, some(30) - 1)} AS newcomer,
       overlay(overlay(md5(i::text) PLACING '7' FROM 13) PLACING '8' FROM 17)::uuid AS uuid FROM ${series} OFFSET 0) numbered`,
  ];
}

/** SQL of the time of image i: evenly over four years. */
const at = (rows: number) =>
  `(TIMESTAMPTZ '2022-11-21 00:00:00Z' + i * interval '1 second' * ${126_000_000 / rows})`;
