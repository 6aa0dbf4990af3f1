import type { ImportOptions, ImportResult } from '../../image/import/import-run.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from '../terminal.ts';

/**
 * Reports an import: progress, refused images and a summary. `finish` returns exit code 3 when an image was
 * refused.
 */
export function makeImportReport(terminal: Terminal, options: { json: boolean; dryRun: boolean }) {
  const progress = makeProgress(terminal);
  const tally = { known: 0, planned: 0, imported: 0, refused: 0, skipped: 0 };
  const refused: ImportResult[] = [];
  let pending = 0;
  const line = (value: object) => {
    progress.clear();
    terminal.out(`${JSON.stringify(value)}\n`);
  };

  const callbacks: Pick<Required<ImportOptions>, 'onPlan' | 'onResult'> = {
    onPlan(plan) {
      pending = plan.pending;
      tally.known = plan.known;
    },
    onResult(result) {
      tally[result.outcome]++;
      if (result.outcome === 'refused') refused.push(result);
      const { subject, outcome, image, error, expiresAt } = result;
      if (options.json) {
        line({
          type: outcome,
          subject,
          ...(image ? { uuid: image.uuid, sha256: image.sha256 } : {}),
          ...(error ? { code: error.code, message: error.message, retryable: error.retryable } : {}),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        });
      } else if (outcome === 'planned') {
        progress.clear();
        const until = expiresAt ? `, expires ${expiresAt.toISOString()}` : '';
        terminal.out(`would fetch  ${subject}${until}\n`);
      }
      const done = tally.imported + tally.refused + tally.skipped + tally.planned;
      progress.update(`${done} of ${pending}: ${tally.imported} imported, ${tally.refused} refused`);
    },
  };

  const finish = (more: Record<string, number> = {}): ExitCode => {
    progress.clear();
    const exit = tally.refused > 0 ? EXIT.notRight : EXIT.ok;
    if (options.json) {
      line({ type: 'summary', dryRun: options.dryRun, ...tally, ...more });
      return exit;
    }
    if (refused.length > 0) {
      const rows = refused.map(({ subject, error }) => [
        subject,
        error?.code ?? '',
        error?.retryable ? 'retried next time' : '',
        error?.message ?? '',
      ]);
      terminal.out(`${formatTable([['REFUSED', 'CODE', '', 'WHY'], ...rows])}\n\n`);
    }
    const counts = Object.entries({ ...tally, ...more }).filter(([name, n]) => n > 0 || name === 'imported');
    const words: Record<string, string> = { known: 'already imported', planned: 'would be fetched' };
    terminal.out(`${counts.map(([name, count]) => `${count} ${words[name] ?? name}`).join(', ')}.\n`);
    return exit;
  };

  return { ...callbacks, finish };
}
