import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrate } from '../src/database/migrate.ts';
import { openPglite } from '../src/database/pglite.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A file with the dump of an embedded database that has every migration; '' when the tests run on PostgreSQL. */
    pgliteTemplate: string;
  }
}

/** Makes the embedded database once that the tests of every file begin from: a start from a dump takes a quarter of the time. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TEST_DATABASE_URL) {
    project.provide('pgliteTemplate', '');
    return undefined;
  }
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-template-'));
  const database = await openPglite({ directory: path.join(directory, 'database') });
  await migrate(database);
  const dump = await database.dump();
  await database.close();
  const file = path.join(directory, 'template.tar');
  await writeFile(file, new Uint8Array(await dump.arrayBuffer()));
  project.provide('pgliteTemplate', file);
  return () => rm(directory, { recursive: true, force: true });
}
