import type { Database } from '../database/database.ts';
import { migrate, readMigrationState, writeMigration } from '../database/migrate.ts';
import { FixativeError } from '../errors.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

/**
 * `migrate`: applies the migrations that the database lacks. With `check`, only reports them, with exit code
 * 3.
 */
export async function runMigrate(
  database: Database,
  options: { check: boolean; json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const applied = options.check ? [] : await migrate(database);
  const state = await readMigrationState(database);
  const current = state.pending.length + state.failed.length + state.unknown.length === 0;
  if (options.json) terminal.out(`${JSON.stringify({ current, ...state, appliedNow: applied })}\n`);
  else {
    for (const name of applied) terminal.out(`applied  ${name}\n`);
    for (const name of state.pending) terminal.out(`pending  ${name}\n`);
    for (const name of state.failed)
      terminal.out(`failed   ${name}: it was interrupted; run \`migrate\` to complete it\n`);
    for (const name of state.unknown)
      terminal.out(`unknown  ${name}: applied by a later version of Fixative\n`);
    for (const name of state.edited)
      terminal.out(`edited   ${name}: its SQL was changed after it was applied\n`);
    terminal.out(current ? 'The database is up to date.\n' : 'The database is not up to date.\n');
  }
  return current ? EXIT.ok : EXIT.notRight;
}

/** `migrate --new NAME`: writes the changes of schema.prisma as a new migration, for developers. */
export async function runNewMigration(name: string, terminal: Terminal): Promise<ExitCode> {
  if (!/^[a-z0-9_]{1,60}$/.test(name)) {
    throw new FixativeError(
      'INVALID_INPUT',
      `${JSON.stringify(name)} is not a name of a migration. Use lower-case letters, digits and underscores, at most 60.`,
    );
  }
  const written = await writeMigration(name);
  terminal.out(
    written
      ? `${written.file}\n\n${written.sql}`
      : 'schema.prisma agrees with the migrations. Nothing was written.\n',
  );
  return EXIT.ok;
}
