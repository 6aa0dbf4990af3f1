/** Fills a server with generated rows over real pictures, for the measurements of the gallery. */
import pg from 'pg';

export interface Target {
  readonly url: URL;
  readonly token: string;
  readonly databaseUrl: string;
}

/** Sizes in pixels: those of providers, and a few wide and tall ones. */
const SIZES = [
  '1024x1024',
  '1024x768',
  '768x1024',
  '1280x720',
  '720x1280',
  '1536x640',
  '512x512',
  '896x1152',
];
const SUBJECTS = ['a valley at dawn', 'hills under snow', 'the sea in autumn', 'a forest at night'];
/** Images of one request. */
const IMAGES = 10;

/** Generates pictures, and copies their rows until there are `rows` images, over three years. */
export async function seedGallery(target: Target, rows: number): Promise<void> {
  for (const size of SIZES) for (const subject of SUBJECTS) await generate(target, { size, subject });
  const client = new pg.Client({ connectionString: target.databaseUrl });
  await client.connect();
  try {
    const { rows: found } = await client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM generated_images',
    );
    await client.query(COPY_ROWS, [rows, found[0]?.count]);
    await client.query('ANALYZE');
  } finally {
    await client.end();
  }
}

async function generate({ url, token }: Target, { size, subject }: { size: string; subject: string }) {
  const tags = [subject.split(' ').at(-1), size];
  const input = { prompt: subject, model: 'sample', size, n: IMAGES, tags, userId: `user-${size.length}` };
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      query:
        'mutation($input: GenerateImageInput!) { generateImage(input: $input) { images { status } userErrors { message } } }',
      variables: { input: { ...input, waitSeconds: 120 } },
    }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { generateImage: { images: { status: string }[]; userErrors: unknown[] } };
    errors?: unknown;
  };
  const images = data?.generateImage.images ?? [];
  if (errors || images.length !== IMAGES || images.some(({ status }) => status !== 'SUCCESS'))
    throw new Error(`A picture for the benchmark was not made: ${JSON.stringify(data ?? errors)}`);
}

/** Copies the pictures' rows ($2 of them), with a new id, uuid, address and time. The bytes are shared. */
const COPY_ROWS = `
  INSERT INTO generated_images
  SELECT copy.*
  FROM generate_series(1, $1::int) AS number
  JOIN (SELECT row_number() OVER (ORDER BY md5(id::text)) - 1 AS place, to_jsonb(g) AS fields
        FROM generated_images AS g) AS base
    ON base.place = number * 7919 % $2::int
  CROSS JOIN LATERAL (SELECT gen_random_uuid() AS uuid WHERE number > 0) AS fresh
  CROSS JOIN LATERAL jsonb_populate_record(NULL::generated_images, base.fields || jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('generated_images', 'id')),
    'uuid', fresh.uuid,
    'filename', NULL,
    'storage_url', '/images/' || fresh.uuid,
    'user_id', 'user-' || number % 40,
    'created_at', now() - number * interval '15 minutes',
    'updated_at', now() - number * interval '15 minutes'
  )) AS copy`;
