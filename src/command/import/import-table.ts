import type { Database } from '../../database/database.ts';
import { openForeignDatabase } from '../../database/foreign.ts';
import { FixativeError } from '../../errors.ts';
import { openForeignTable } from '../../image/import/foreign-table.ts';
import type { ImportDeps } from '../../image/import/import-image.ts';
import { importTable } from '../../image/import/import-table.ts';
import type { ExitCode, Terminal } from '../terminal.ts';
import { makeImportReport } from './import-report.ts';

export interface ImportTableCommand {
  readonly databaseUrl: string;
  readonly table: string;
  readonly idColumn: string;
  readonly urlColumn?: string;
  /** Entries `column=field`. */
  readonly map: readonly string[];
  readonly baseUrl?: string;
  readonly writeBack?: string;
  readonly retryFailed: boolean;
  readonly user: string;
  readonly concurrency: number;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly signal?: AbortSignal | undefined;
  /** URL of this server, which the URLs to write back begin with. */
  readonly publicUrl: string | null;
}

/** `import table DATABASE_URL`: imports the rows of another system's table with their bytes. */
export async function runImportTable(
  deps: ImportDeps & { readonly database: Database },
  options: ImportTableCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const { writeBack, baseUrl = null, publicUrl } = options;
  if (writeBack !== undefined && publicUrl === null) {
    throw invalidOption('--write-back needs PUBLIC_URL, because URLs in another database must be absolute.');
  }
  if (baseUrl !== null && !URL.canParse(baseUrl)) throw invalidOption('--base-url is not a URL.');
  const source = sourceOf(options);
  const readOnly = writeBack === undefined || options.dryRun;
  const foreign = await openForeignDatabase({ url: options.databaseUrl, readOnly });
  try {
    const table = await openForeignTable(foreign, {
      ...options,
      urlColumn: options.urlColumn ?? null,
      map: parseMap(options.map),
    });
    const report = makeImportReport(terminal, options);
    const { written } = await importTable(
      {
        storage: deps.storage,
        fetcher: deps.fetcher,
        database: deps.database,
        defaultVisibility: deps.defaultVisibility,
        table,
      },
      {
        ...options,
        ...report,
        source,
        baseUrl,
        writeBack: writeBack === undefined ? null : { column: writeBack, publicUrl: publicUrl ?? '' },
      },
    );
    return report.finish(writeBack === undefined ? {} : { 'written back': written });
  } finally {
    await foreign.close();
  }
}

/** Returns a permanent name of the table, without the user: the table is one source for every user. */
function sourceOf(options: Pick<ImportTableCommand, 'databaseUrl' | 'table'>): string {
  const url = URL.parse(options.databaseUrl);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw invalidOption('The database URL does not begin with postgresql://.');
  }
  return `table:${url.host}${url.pathname}/${options.table}`;
}

function parseMap(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.lastIndexOf('=');
      if (at < 1) throw invalidOption(`--map needs column=field, not ${JSON.stringify(entry)}.`);
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

function invalidOption(message: string): FixativeError {
  return new FixativeError('INVALID_INPUT', message);
}
