/** `npm run migrate:new NAME`: writes what changed in schema.prisma as the SQL of a new migration, to be read and completed by hand. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeMigrationSql } from './migrate.ts';
import { openPglite } from './pglite.ts';

const name = process.argv[2] ?? '';
if (!/^[a-z0-9_]{1,60}$/.test(name)) {
  process.stderr.write('usage: npm run migrate:new NAME   (lower-case letters, digits, underscores)\n');
  process.exit(2);
}
const scratch = await mkdtemp(path.join(tmpdir(), 'fixative-migration-'));
try {
  const database = await openPglite({ directory: scratch });
  const sql = await writeMigrationSql(database).finally(() => database.close());
  if (sql.trim() === '' || sql.includes('This is an empty migration')) {
    process.stdout.write('schema.prisma says what the migrations say already: nothing to write.\n');
  } else {
    const stamp = new Date().toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
    const directory = fileURLToPath(new URL(`../../prisma/migrations/${stamp}_${name}`, import.meta.url));
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, 'migration.sql'), sql);
    process.stdout.write(`${directory}/migration.sql\n\n${sql}`);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
