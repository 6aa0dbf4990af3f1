import type { ImageDeps } from '../../image/image.ts';
import {
  type DirectoryImport,
  type FileOutcome,
  importDirectory,
} from '../../image/import/import-directory.ts';
import type { IngestDeps } from '../../image/ingest/ingest.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from '../terminal.ts';

/** Words of the summary. */
const WORDS = {
  imported: 'imported',
  there: 'already imported',
  removed: 'removed before (import them with --again)',
  refused: 'refused',
} as const;

/**
 * `import directory PATH`: imports the images of a folder, and reports at the end which files were refused
 * and why. Returns exit code 3 when a file was refused, or after an interruption. The same command then
 * continues.
 */
export async function runImportDirectory(
  deps: ImageDeps & IngestDeps,
  options: DirectoryImport & { json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const progress = makeProgress(terminal);
  const tally = { imported: 0, there: 0, removed: 0, refused: 0 };
  const refused: Extract<FileOutcome, { outcome: 'refused' }>[] = [];
  try {
    await importDirectory(deps, options, (outcome) => {
      tally[outcome.outcome] += 1;
      if (outcome.outcome === 'refused') refused.push(outcome);
      if (options.json) terminal.out(`${JSON.stringify({ type: 'file', ...outcome })}\n`);
      const seen = Object.values(tally).reduce((sum, count) => sum + count);
      progress.update(
        `${seen} files, ${tally.imported} imported, ${tally.refused} refused: ${printable(outcome.file)}`,
      );
    });
  } finally {
    // Reports what was done even when a store has failed.
    progress.clear();
    const interrupted = options.signal?.aborted === true;
    const dryRun = options.dryRun === true;
    if (options.json) terminal.out(`${JSON.stringify({ type: 'summary', dryRun, interrupted, ...tally })}\n`);
    else terminal.out(report(refused, tally, { dryRun, interrupted }));
  }
  return refused.length > 0 || options.signal?.aborted ? EXIT.notRight : EXIT.ok;
}

function report(
  refused: readonly Extract<FileOutcome, { outcome: 'refused' }>[],
  tally: Readonly<Record<keyof typeof WORDS, number>>,
  { dryRun, interrupted }: { dryRun: boolean; interrupted: boolean },
): string {
  const sorted = refused.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  const rows = sorted.map(({ file, code, reason }) => [printable(file), code, printable(reason)]);
  const table = rows.length > 0 ? `${formatTable([['refused', 'code', 'why'], ...rows])}\n\n` : '';
  const counts = Object.entries(tally)
    .filter(([outcome, count]) => count > 0 || outcome === 'imported')
    .map(([outcome, count]) => `${count} ${WORDS[outcome as keyof typeof WORDS]}`);
  const end = interrupted ? 'Interrupted. Run the same command to continue.\n' : '';
  return `${table}${dryRun ? 'Would be: ' : ''}${counts.join(', ')}.\n${end}`;
}

/** Replaces control characters. A terminal obeys them, and a file name may hold any. */
const printable = (text: string) => text.replaceAll(/\p{Cc}/gu, '\ufffd');
