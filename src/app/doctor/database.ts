import type { Config } from '../../config.ts';
import type { Database } from '../../database/database.ts';
import { readMigrationState } from '../../database/migrate.ts';
import { hasDatabase } from '../../database/pglite/data-directory.ts';
import { FixativeError } from '../../errors.ts';
import { type DatabaseOptions, type OpenedDatabase, openDatabase } from '../open-database.ts';
import { startErrorOf } from '../start-error.ts';
import { type Finding, failure, messageOf, ok, skipped, warning } from './report.ts';

/** A database that is open, or why there is none to ask. `isAbsent`: it was never made. */
export type AskedDatabase =
  | { readonly database: Database }
  | { readonly finding: Finding; readonly isAbsent: boolean };

/** The database, opened once for all checks that need it. */
export interface CheckedDatabase {
  get(): Promise<AskedDatabase>;
  close(): Promise<void>;
}

/** Opens the database when the first check needs it. Never makes one. */
export function makeCheckedDatabase(config: Config, options: DatabaseOptions): CheckedDatabase {
  let opening: Promise<OpenedDatabase | Finding> | null = null;
  const isAbsent = config.databaseUrl === null && !hasDatabase(config.dataDirectory);

  async function open(): Promise<OpenedDatabase | Finding> {
    if (isAbsent) return skipped('The embedded database does not exist yet; the first start makes it.');
    return openDatabase(config, options).catch((error: unknown): Finding => {
      const { message } = startErrorOf(config, error) as Error;
      const isInUse =
        config.databaseUrl === null && error instanceof FixativeError && /is in use by/.test(message);
      // A server that runs is the usual reason, and no fault.
      if (isInUse)
        return skipped(
          `The embedded database belongs to one process at a time, and another one has it: ${message.split('. ')[0]}.`,
          'Stop the server to check its database. GET /ready of the server says whether it can use it.',
        );
      return failure(
        messageOf(startErrorOf(config, error)),
        config.databaseUrl === null
          ? 'Repair the disk or its rights, or restore a backup (docs/backup.md).'
          : 'Start PostgreSQL, or correct DATABASE_URL.',
      );
    });
  }

  return {
    async get() {
      opening ??= open();
      const opened = await opening;
      return 'database' in opened ? { database: opened.database } : { finding: opened, isAbsent };
    },
    async close() {
      const opened = await opening;
      if (opened && 'release' in opened) await opened.release();
    },
  };
}

interface ServerFacts {
  readonly version: number;
  readonly name: string;
  readonly encoding: string;
  readonly fsync: string;
  readonly pages: string;
  readonly connections: number;
  readonly read_only: string;
  readonly recovery: boolean;
}

const MIN_VERSION = 150_000;

/** Checks the version of the database and the settings on which the safety of acknowledged images depends. */
export async function checkServer({ query }: Database, config: Config): Promise<Finding[]> {
  const [facts] = await query<ServerFacts>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS name,
       current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS pages, current_setting('max_connections')::int AS connections,
       current_setting('transaction_read_only') AS read_only, pg_is_in_recovery() AS recovery`,
  );
  if (!facts) return [failure('The database does not report its version.', 'Check that it is PostgreSQL.')];
  const findings: Finding[] = [];
  if (facts.version < MIN_VERSION)
    findings.push(failure(`The database is PostgreSQL ${facts.name}.`, 'Upgrade PostgreSQL to 15 or later.'));
  if (facts.encoding !== 'UTF8')
    findings.push(
      failure(`The database is encoded in ${facts.encoding}.`, "Create it with ENCODING 'UTF8'."),
    );
  if (facts.recovery || facts.read_only === 'on')
    findings.push(
      failure(
        facts.recovery ? 'The database is a replica and takes no writes.' : 'The database takes no writes.',
        'Let DATABASE_URL name the primary, and set default_transaction_read_only = off.',
      ),
    );
  // The embedded database flushes by itself and has one connection.
  if (config.databaseUrl !== null) findings.push(...checkServerSettings(facts, config));
  return findings.length > 0 ? findings : [ok(`PostgreSQL ${facts.name}.`)];
}

function checkServerSettings({ fsync, pages, connections }: ServerFacts, config: Config): Finding[] {
  const findings: Finding[] = [];
  for (const [name, value] of [
    ['fsync', fsync],
    ['full_page_writes', pages],
  ])
    if (value === 'off')
      findings.push(
        failure(
          `${name} of PostgreSQL is off: a loss of power can destroy the database.`,
          `Set ${name} = on in postgresql.conf.`,
        ),
      );
  const needed = 2 * config.databasePoolSize + 8;
  if (connections < needed)
    findings.push(
      warning(
        `PostgreSQL takes ${connections} connections, but one process may use ${needed}.`,
        'Raise max_connections, or lower DATABASE_POOL_SIZE.',
      ),
    );
  return findings;
}

/** Compares the migrations of the database with those of this version. */
export async function checkMigrations(database: Database): Promise<Finding[]> {
  const { applied, pending, failed, unknown, edited } = await readMigrationState(database);
  const findings: Finding[] = [];
  if (unknown.length > 0)
    findings.push(
      failure(
        `Another version of Fixative applied ${unknown.at(-1)}.`,
        'Start that version or a later one; docs/upgrading.md says more.',
      ),
    );
  if (pending.length > 0)
    findings.push(
      warning(
        `${pending.length} migrations are pending, the first is ${pending[0]}${failed.length > 0 ? ', which was interrupted' : ''}.`,
        'The next start applies them, or: npm run fixative -- migrate',
      ),
    );
  for (const name of edited)
    findings.push(
      warning(
        `The SQL of ${name} was changed after it was applied.`,
        'Install this version of Fixative again, without changes.',
      ),
    );
  return findings.length > 0 ? findings : [ok(`All ${applied.length} migrations are applied.`)];
}

/** Checks that the role may do what a server and a migration do. */
export async function checkRights({ query, schema }: Database): Promise<Finding[]> {
  const queue = schema === null ? 'pgboss' : `${schema}_pgboss`;
  const [rights] = await query<Record<'role' | 'database' | 'ours', string> & Record<'create', boolean>>(
    `SELECT current_user AS role, current_database() AS database, current_schema() AS ours,
       has_database_privilege(current_database(), 'CREATE') AS create`,
  );
  const missing = await query<{ what: string }>(
    `SELECT 'CREATE in the schema ' || nspname AS what FROM pg_namespace
       WHERE nspname IN (current_schema(), $1) AND NOT has_schema_privilege(oid, 'CREATE')
     UNION ALL
     SELECT 'to change the table ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE nspname IN (current_schema(), $1) AND relkind IN ('r', 'p') AND NOT
         (pg_has_role(relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
     ORDER BY what LIMIT 20`,
    [queue],
  );
  const [found] = await query<{ queue: boolean; foreign: number }>(
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS queue,
       (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = current_schema() AND relkind = 'r' AND NOT pg_has_role(relowner, 'USAGE')) AS foreign`,
    [queue],
  );
  const { role, database, ours, create } = rights ?? { role: '', database: '', ours: null, create: false };
  const findings = missing.map(({ what }) =>
    failure(
      `The role ${role} lacks the right ${what}.`,
      `As its owner or a superuser: GRANT ALL ON SCHEMA ${ours}, ${queue} TO ${role}; GRANT ALL ON ALL TABLES IN SCHEMA ${ours}, ${queue} TO ${role};`,
    ),
  );
  if (!create && (ours === null || !found?.queue))
    findings.push(
      failure(
        `The role ${role} cannot create the schema ${ours === null ? (schema ?? 'public') : queue}.`,
        `GRANT CREATE ON DATABASE ${database} TO ${role};`,
      ),
    );
  if (found && found.foreign > 0)
    findings.push(
      warning(
        `${found.foreign} tables belong to another role, so migrations cannot alter them as ${role}.`,
        `Run migrations as the owner, or: ALTER TABLE … OWNER TO ${role};`,
      ),
    );
  return findings.length > 0 ? findings : [ok(`The role ${role} has the rights that it needs.`)];
}

const CLOCK_WARNING_MS = 2000;
const CLOCK_ERROR_MS = 60_000;

/** Compares the clock of this machine with that of the database. */
export async function checkClock({ query, kind }: Database): Promise<Finding[]> {
  if (kind === 'pglite') return [ok('The embedded database uses the clock of this machine.')];
  const before = Date.now();
  const [row] = await query<{ now: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
  );
  const after = Date.now();
  return [findingOfClock((row?.now ?? Number.NaN) - (before + after) / 2, (after - before) / 2)];
}

/** @param offset milliseconds by which the database is ahead, known to within `uncertainty`. */
export function findingOfClock(offset: number, uncertainty: number): Finding {
  const off = Math.max(0, Math.abs(offset) - uncertainty);
  const words = `The clock of this machine is ${(Math.abs(offset) / 1000).toFixed(1)} s ${offset > 0 ? 'behind' : 'ahead of'} that of the database`;
  const remedy = 'Set both clocks by NTP (timedatectl set-ntp true).';
  if (off >= CLOCK_ERROR_MS)
    return failure(`${words}: signed addresses and times of images are wrong.`, remedy);
  if (off >= CLOCK_WARNING_MS) return warning(`${words}.`, remedy);
  return ok(
    `The clocks of this machine and of the database agree within ${(off + uncertainty).toFixed(0)} ms.`,
  );
}
