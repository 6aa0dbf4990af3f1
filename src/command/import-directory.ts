import type { ImageDeps } from '../image/image.ts';
import { type DirectoryImport, type FileOutcome, importDirectory } from '../image/import/import-directory.ts';
import type { IngestDeps } from '../image/ingest/ingest.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from './terminal.ts';

/** How each outcome is told in the summary. */
const TOLD = {
  imported: 'imported',
  there: 'already there',
  removed: 'removed before (--again takes them in again)',
  refused: 'refused',
} as const;

/**
 * `import directory PATH`: brings a folder of pictures in, and says at the end what was refused and why. Ends
 * with 3 when something was, or when it was interrupted; the same command goes on then.
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
    // Also when a store gave out: what was done is done, and is told.
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
  tally: Readonly<Record<keyof typeof TOLD, number>>,
  { dryRun, interrupted }: { dryRun: boolean; interrupted: boolean },
): string {
  const sorted = refused.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  const rows = sorted.map(({ file, code, reason }) => [printable(file), code, printable(reason)]);
  const table = rows.length > 0 ? `${formatTable([['refused', 'code', 'why'], ...rows])}\n\n` : '';
  const counts = Object.entries(tally)
    .filter(([outcome, count]) => count > 0 || outcome === 'imported')
    .map(([outcome, count]) => `${count} ${TOLD[outcome as keyof typeof TOLD]}`);
  const end = interrupted ? 'Interrupted; the same command goes on.\n' : '';
  return `${table}${dryRun ? 'Would be: ' : ''}${counts.join(', ')}.\n${end}`;
}

/** A name may hold anything, and a terminal obeys some of it. */
const printable = (text: string) => text.replaceAll(/\p{Cc}/gu, '\ufffd');
