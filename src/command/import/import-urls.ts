import { readFile } from 'node:fs/promises';
import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { ImportDeps } from '../../image/import/import-image.ts';
import { importUrls, parseAddressList } from '../../image/import/import-urls.ts';
import { decodeUtf8 } from '../../text.ts';
import type { ExitCode, Terminal } from '../terminal.ts';
import { makeImportReport } from './import-report.ts';

export interface ImportUrlsCommand {
  readonly file: string;
  /** Owner of the images that the list names no owner of. */
  readonly user: string;
  readonly concurrency: number;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** `import urls FILE`: imports the images of a list of URLs, lines or CSV, before the URLs expire. */
export async function runImportUrls(
  deps: ImportDeps & { readonly database: Database },
  options: ImportUrlsCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const bytes = await readFile(options.file).catch((cause: NodeJS.ErrnoException) => {
    throw new FixativeError('INVALID_INPUT', `${options.file} cannot be read (${cause.code}).`, { cause });
  });
  const text = bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString('utf16le') : decodeUtf8(bytes);
  if (text === null) {
    const message = `${options.file} is not UTF-8. Save it as UTF-8; Excel calls that "CSV UTF-8".`;
    throw new FixativeError('INVALID_INPUT', message);
  }
  const report = makeImportReport(terminal, options);
  await importUrls(deps, parseAddressList(text, { userId: options.user }), { ...options, ...report });
  return report.finish();
}
