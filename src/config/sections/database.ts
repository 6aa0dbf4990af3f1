import { z } from 'zod';
import { wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

/**
 * Special characters of a password (`p@ss#w`, `100%`) change what the URL means when they are not escaped.
 */
function isDatabaseUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.hash !== '') return false;
  try {
    decodeURIComponent(url.username + url.password);
    return true;
  } catch {
    return false;
  }
}

export const DATABASE = {
  title: 'Database',
  settings: {
    DATABASE_URL: {
      property: 'databaseUrl',
      parser: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'a URL that begins with postgresql://')
        .refine(
          isDatabaseUrl,
          'postgresql://user:password@host:port/database; escape special characters of the password: %40 for @, %23 for #, %2F for / and so on',
        ),
      defaultText: 'PostgreSQL embedded in the process (PGlite), in DATA_DIR',
      example: 'postgresql://fixative:secret@localhost:5432/fixative',
      secret: 'password',
      description:
        "URL of a PostgreSQL server, version 15 or later. `?schema=NAME` puts the tables into that schema, which is created if it does not exist, and the queue into NAME_pgboss. Without it the tables are in the first schema of the role's search_path and the queue is in pgboss. A connection pooler must keep sessions (PgBouncer: pool_mode=session); the server checks this when it starts.",
    },
    DATABASE_REPLICA_URL: {
      property: 'databaseReplicaUrl',
      parser: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'a URL that begins with postgresql://')
        .refine(isDatabaseUrl, 'postgresql://user:password@host:port/database'),
      defaultText: 'none: DATABASE_URL answers everything',
      example: 'postgresql://fixative:secret@replica:5432/fixative',
      secret: 'password',
      description:
        'URL of a streaming replica of DATABASE_URL, for lists, counts and statistics. A client reads its own writes, and those of others, from any server: a replica that has not replayed them within 30 ms is left out, as is one that is away.',
    },
    DATABASE_POOL_SIZE: {
      property: 'databasePoolSize',
      parser: wholeNumber(1, 1000),
      default: '10',
      description:
        'Connections of each process for transactions and slow statements. Fast statements share up to 4 more, one more listens, and locks use up to DATABASE_POOL_SIZE + 3 while they are held. Count 2 × DATABASE_POOL_SIZE + 8 for each process, and set max_connections of PostgreSQL to twice the total.',
    },
  },
} as const satisfies Section;

export const MEMORY = {
  title: 'Memory of the process',
  about: [
    "V8's heap is limited to 512 MiB if the machine or container has more than 1 GiB of memory, otherwise to half of the memory. To set another limit, set NODE_OPTIONS=--max-old-space-size=1024 in the environment of the process; it has no effect in .env. Bytes of images in transit and the bytes of BYTES_CACHE_BYTES count like the heap: with a cache of more than 300 MiB, add its size to the limit. The embedded database lies outside of the heap.",
    'The server also sets --max-semi-space-size=16, MALLOC_ARENA_MAX=2, MALLOC_MMAP_THRESHOLD_=65536 and MALLOC_TRIM_THRESHOLD_=131072, unless the environment of the process sets them.',
  ],
  settings: {},
} as const satisfies Section;
