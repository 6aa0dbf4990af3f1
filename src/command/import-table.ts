import type { Database } from '../database/database.ts';
import { openForeignDatabase } from '../database/foreign.ts';
import { FixativeError } from '../errors.ts';
import { openForeignTable } from '../image/import/foreign-table.ts';
import type { ImportDeps } from '../image/import/import-image.ts';
import { importTable } from '../image/import/import-table.ts';
import { makeImportReport } from './import-report.ts';
import type { ExitCode, Terminal } from './terminal.ts';

export interface ImportTableCommand {
  readonly databaseUrl: string;
  readonly table: string;
  readonly idColumn: string;
  readonly urlColumn?: string;
  /** `column=field` each. */
  readonly map: readonly string[];
  readonly baseUrl?: string;
  readonly writeBack?: string;
  readonly retryFailed: boolean;
  readonly user: string;
  readonly concurrency: number;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Where this server is reached; what is written back begins with it. */
  readonly publicUrl: string | null;
}

/** `import table DATABASE_URL`: brings over the rows of another system's table with their bytes. */
export async function runImportTable(
  deps: ImportDeps & { readonly database: Database },
  options: ImportTableCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const { writeBack, baseUrl = null, publicUrl } = options;
  if (writeBack !== undefined && publicUrl === null) {
    throw invalid('--write-back needs PUBLIC_URL: addresses in another database must be whole.');
  }
  if (baseUrl !== null && !URL.canParse(baseUrl)) throw invalid('--base-url is not an address.');
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

/** Names the table for good, without who asks: the same table is the same source under another user. */
function sourceOf(options: Pick<ImportTableCommand, 'databaseUrl' | 'table'>): string {
  const url = URL.parse(options.databaseUrl);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw invalid('DATABASE_URL is not an address that begins with postgresql://.');
  }
  return `table:${url.host}${url.pathname}/${options.table}`;
}

function parseMap(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.lastIndexOf('=');
      if (at < 1) throw invalid(`--map takes column=field, not ${JSON.stringify(entry)}.`);
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

function invalid(message: string): FixativeError {
  return new FixativeError('INVALID_INPUT', message);
}
