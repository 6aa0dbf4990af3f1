import { requireStores } from '../image/restore.ts';
import type { Storage, VerifyOptions } from '../storage/service.ts';
import { formatBytes } from '../storage/spool/format-bytes.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from './terminal.ts';

/**
 * `verify`: checks copies, and reports the healthy, missing and corrupt ones of each store. Returns exit code
 * 3 for problems.
 */
export async function runVerify(
  storage: Storage,
  options: VerifyOptions & { json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  requireStores(storage, options.stores ?? []);
  const progress = makeProgress(terminal);
  const say = (text: string, line: object) => {
    progress.clear();
    terminal.out(options.json ? `${JSON.stringify(line)}\n` : `${text}\n`);
  };
  const result = await storage.verify({
    ...options,
    onProgress: ({ copies, of, bytes }) =>
      progress.update(`verified ${copies} of ${of} copies, ${formatBytes(bytes)} read`),
    onBad: (bad) => say(`${bad.state.toLowerCase().padEnd(11)}  ${bad.error}`, { type: 'bad', ...bad }),
    onOrphan: (orphan) =>
      say(`orphan       ${orphan.key} in ${orphan.store} has no record`, { type: 'orphan', ...orphan }),
  });
  progress.clear();
  const bad = result.stores.some((store) => store.missing + store.corrupt + store.unreachable > 0);
  const orphans = result.stores.some((store) => (store.orphans ?? 0) > 0);
  if (options.json) terminal.out(`${JSON.stringify({ type: 'summary', ...result })}\n`);
  else {
    const heads = [
      'store',
      'right',
      'missing',
      'corrupt',
      'pending',
      'unreachable',
      'healed',
      'condemned',
      'orphans',
      'read',
    ];
    const rows = result.stores.map((each) => [
      each.store,
      each.right,
      each.missing,
      each.corrupt,
      each.pending,
      each.unreachable,
      each.healed,
      each.condemned,
      each.orphans ?? '-',
      formatBytes(each.bytes),
    ]);
    terminal.out(`${formatTable([heads, ...rows])}\n\n`);
    for (const sha256 of result.lost) terminal.out(`lost: no store holds a healthy copy of ${sha256}\n`);
    if (result.lostCount > result.lost.length)
      terminal.out(`lost: ${result.lostCount - result.lost.length} more\n`);
    terminal.out(summaryOf(result.copies, result.of, bad || orphans || result.lostCount > 0));
  }
  return bad || orphans || result.lostCount > 0 ? EXIT.notRight : EXIT.ok;
}

function summaryOf(copies: number, of: number, wrong: boolean): string {
  const checked =
    copies === of
      ? `All ${of} copies were checked`
      : `${copies} of ${of} copies were checked, the longest unverified first`;
  return wrong
    ? `${checked}. Problems were found. Run \`npm run fixative -- restore --all\` to repair what can be repaired.\n`
    : `${checked}. No problems were found.\n`;
}
