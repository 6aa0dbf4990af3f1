import { type Export, type ExportOutcome, exportImages } from '../image/export.ts';
import type { ImageDeps } from '../image/image.ts';
import { formatBytes } from '../storage/spool/format-bytes.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from './terminal.ts';

type Unwritten = Extract<ExportOutcome, { outcome: 'without' | 'unread' }>;

/**
 * `export DIRECTORY`: writes the images of a filter, each with a sidecar. Returns exit code 3 when the bytes
 * of an image could not be read, or after an interruption. The same command then continues.
 */
export async function runExport(
  deps: ImageDeps,
  options: Export & { json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const progress = makeProgress(terminal);
  const tally = { exported: 0, there: 0, without: 0, unread: 0 };
  let bytes = 0;
  const unwritten: Unwritten[] = [];
  try {
    await exportImages(deps, options, (outcome) => {
      tally[outcome.outcome] += 1;
      if (outcome.outcome === 'exported') bytes += outcome.bytes;
      if (outcome.outcome === 'without' || outcome.outcome === 'unread') unwritten.push(outcome);
      if (options.json) terminal.out(`${JSON.stringify({ type: 'image', ...outcome })}\n`);
      progress.update(
        `${tally.exported} images exported (${formatBytes(bytes)}), ${tally.there} already exported`,
      );
    });
  } finally {
    progress.clear();
    const interrupted = options.signal?.aborted === true;
    if (options.json) terminal.out(`${JSON.stringify({ type: 'summary', interrupted, ...tally, bytes })}\n`);
    else {
      const rows = unwritten.map((each) =>
        each.outcome === 'unread'
          ? [each.uuid, each.code, each.reason]
          : [each.uuid, '-', `it has no bytes (status ${each.status})`],
      );
      if (rows.length > 0) terminal.out(`${formatTable([['not exported', 'code', 'why'], ...rows])}\n\n`);
      terminal.out(
        `${tally.exported} exported (${formatBytes(bytes)}), ${tally.there} already exported, ${tally.without} without bytes, ${tally.unread} could not be read.\n`,
      );
      if (interrupted) terminal.out('Interrupted. Run the same command to continue.\n');
    }
  }
  return tally.unread > 0 || options.signal?.aborted ? EXIT.notRight : EXIT.ok;
}
