import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openPglite } from '../../src/database/pglite/pglite.ts';

let parent: string;
let directory: string;
beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'fixative-pglite-'));
  directory = path.join(parent, 'database');
});
afterEach(() => rm(parent, { recursive: true }));

/** As a process leaves it that is killed while PGlite copies the files of a new database. */
async function leaveHalf() {
  await mkdir(path.join(directory, 'base'), { recursive: true });
  await writeFile(path.join(directory, 'base', '1'), 'half');
}

test('a new database is made again after a kill during its creation', async () => {
  await leaveHalf();
  await writeFile(`${directory}.unfinished`, '');
  const database = await openPglite({ directory });
  await database.executeSql('CREATE TABLE kept (id int)');
  await database.close();
  expect(await readdir(parent)).toEqual(['database']);
  const again = await openPglite({ directory });
  expect(await again.query('SELECT * FROM kept')).toEqual([]);
  await again.close();
});

test('a database that cannot be opened is left unchanged, and the error names it', async () => {
  await leaveHalf();
  await expect(openPglite({ directory })).rejects.toMatchObject({
    name: 'FixativeError',
    message: expect.stringContaining(`Cannot open the embedded database in ${directory}`),
  });
  expect(await readdir(path.join(directory, 'base'))).toContain('1');
});
