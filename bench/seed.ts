import type { Queryable } from '../src/database/database.ts';

export const USERS = 1000;
export const TAGS = 200;

const WORDS =
  `quiet red fox jumping over frozen lake at dawn watercolour of lighthouse in storm portrait old sailor with pipe neon
  city street rain isometric tiny house garden low poly mountain range sunset astronaut riding horse on mars vintage travel poster
  rome cyberpunk cat wearing sunglasses oil painting bowl fruit macro photo dew spider web minimal line drawing whale under moon
  steampunk airship above clouds children book illustration friendly dragon reading golden hour forest path`.split(
    /\s+/,
  );
const COLOURS = ['red', 'green', 'blue', 'golden', 'dark', 'pale', 'neon', 'pastel', 'grey', 'warm'];
const SUBJECTS =
  'fox city portrait forest sea mountain sunset avatar comic logo chart cat dog dragon space house garden poster sketch map'.split(
    ' ',
  );
/** Syllables of names. In real prompts names make many words, most of them rare. */
const SYLLABLES = 'ka li mo ru shen tar vel dor ith ana zu pe os gri fen ul bra nok sai wen'.split(' ');
const TOOLS = [
  'generateUserImage',
  'generateAvatar',
  'generateComic',
  'generateChart',
  'generateSticker',
  'editImage',
];
const MODELS = [
  'gpt-image-1',
  'dall-e-3',
  'gemini-2.5-flash-image',
  'grok-2-image',
  'flux-pro-1.1',
  'sample',
];

/**
 * Fills an empty database as years of use would: a few users and tags have most of the images. Rows are in
 * order of creation, so the rows of a user are spread over the table. Every run makes the same database.
 */
export async function seedDatabase(database: Queryable, rows: number): Promise<void> {
  const list = (words: readonly string[]) => `ARRAY[${words.map((word) => `'${word}'`).join(',')}]`;
  const tags = COLOURS.flatMap((colour) => SUBJECTS.map((subject) => `${colour}-${subject}`)).slice(0, TAGS);
  // Hashes of the row's number, not random(): the planner chooses the order of its calls.
  const chance = (salt: string, n = 'i') =>
    `((hashint8extended(${n}, ${salt}) & 1073741823)::float8 / 1073741824)`;
  const pick = (words: readonly string[], position: string) =>
    `(${list(words)})[1 + floor(${words.length} * ${position})::int]`;

  const name = (salt: string) =>
    [1, 2, 3].map((n) => pick(SYLLABLES, `${chance(`${salt}${n}`)} ^ 2`)).join(' || ');

  await database.query(`INSERT INTO blobs (id, sha256, bytes, mime_type, width, height, thumbhash, created_at)
    SELECT i, encode(sha256(i::text::bytea), 'hex'), 40000 + (i::bigint * 7919) % 2000000, 'image/png', 1024, 1024,
      'k/cFDYJzd4iPZ4ioeIiIeIh3iHcHiIeH', TIMESTAMPTZ '2025-11-21 00:00:00Z' + i * interval '1 year' / ${rows}
    FROM generate_series(1, ${rows}) i WHERE ${chance('1')} < 0.96`);
  await database.query(`INSERT INTO copies (blob_id, store, state, key, bytes, verified_at, fingerprint, created_at)
    SELECT b.id, store, 'STORED', substr(b.sha256, 1, 2) || '/' || substr(b.sha256, 3, 2) || '/' || b.sha256 || '.png', b.bytes,
      b.created_at + interval '1 minute', 'size=' || b.bytes, b.created_at
    FROM blobs b, unnest(ARRAY['filesystem', 'database']) store ORDER BY b.id`);
  await database.query(`INSERT INTO generated_images (uuid, request_id, user_id, username, tool_name, prompt, revised_prompt, origin,
      provider, model, size, quality, style, n, filename, storage_url, storage_provider, mime_type, bytes, sha256, width, height,
      thumbhash, tags, status, error, error_code, error_retryable, metadata, message_id, created_at, updated_at, blob_id)
    SELECT uuid, 'req-' || i, 'user-' || lpad(person::text, 4, '0'), 'Person ' || person, ${pick(TOOLS, `${chance('3')} ^ 2`)},
      (SELECT string_agg(${pick(WORDS, chance('4', '(i * 32 + word)::bigint'))}, ' ' ORDER BY word)
        FROM generate_series(1, 4 + (i % 9)) word) || ' ' || ${name('7')} || ' ' || ${name('8')},
      CASE WHEN i % 3 = 0 THEN 'A detailed picture, revised by the provider, number ' || i END,
      CASE WHEN i % 20 = 0 THEN 'uploaded' ELSE 'generated' END, 'openai', ${pick(MODELS, chance('5'))}, '1024x1024', 'high', NULL, 1,
      CASE WHEN blob_id IS NOT NULL THEN filename END,
      CASE WHEN blob_id IS NOT NULL THEN '/images/' || uuid || '/' || filename ELSE '' END,
      CASE WHEN blob_id IS NOT NULL THEN 'filesystem' END, mime_type, bytes, sha256, width, height, thumbhash,
      ARRAY(SELECT DISTINCT ${pick(tags, `${chance('6', '(i * 8 + place)::bigint')} ^ 2`)} FROM generate_series(1, i % 5) place),
      CASE WHEN blob_id IS NOT NULL THEN 'success' WHEN i % 10 = 0 THEN 'pending' ELSE 'failed' END,
      CASE WHEN blob_id IS NULL AND i % 10 <> 0 THEN 'The provider declined the prompt.' END,
      CASE WHEN blob_id IS NULL AND i % 10 <> 0 THEN 'PROVIDER_REFUSED' END,
      CASE WHEN blob_id IS NULL AND i % 10 <> 0 THEN false END,
      jsonb_build_object('channel', 'channel-' || i % 50, 'locale', 'en'), 'message-' || i, created_at, created_at, blob_id
    FROM (
      SELECT i, 1 + floor(${USERS} * ${chance('2')} ^ 2.5)::int AS person,
        encode(overlay(overlay(substr(sha256(('uuid' || i)::bytea), 1, 16) PLACING '\\x70' FROM 7) PLACING '\\x80' FROM 9), 'hex')::uuid
          AS uuid,
        'picture-' || i || '.png' AS filename,
        TIMESTAMPTZ '2025-11-21 00:00:00Z' + i * interval '1 year' / ${rows} AS created_at,
        b.id AS blob_id, b.sha256, b.bytes, b.mime_type, b.width, b.height, b.thumbhash
      FROM generate_series(1, ${rows}::bigint) i LEFT JOIN blobs b ON b.id = i
    ) numbered ORDER BY i`);
  // The ids above were explicit. Uploads during a benchmark continue after them.
  await database.query(`SELECT setval(pg_get_serial_sequence('blobs', 'id'), ${rows})`);
  // VACUUM brings hint bits, the visibility map and GIN's pending lists to the state of a server that has run
  // for a while.
  await database.query('VACUUM ANALYZE');
}
