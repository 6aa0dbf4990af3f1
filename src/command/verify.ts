import type { Storage } from '../storage/service.ts';
import { formatBytes } from '../storage/spool.ts';
import { EXIT, type ExitCode, formatTable, makeProgress, type Terminal } from './terminal.ts';

/** `verify`: reads every copy and says per store what is right, missing and corrupt. Ends with 3 when anything is not right. */
export async function runVerify(
  storage: Storage,
  options: { json: boolean; signal?: AbortSignal },
  terminal: Terminal,
): Promise<ExitCode> {
  const progress = makeProgress(terminal);
  const result = await storage.verify({
    onProgress: ({ blobs, bytes }) => progress.update(`verified ${blobs} blobs, ${formatBytes(bytes)} read`),
    onBad: (bad) => {
      progress.clear();
      if (options.json) terminal.out(`${JSON.stringify({ type: 'bad', ...bad })}\n`);
      else terminal.out(`${bad.state.toLowerCase().padEnd(11)}  ${bad.error}\n`);
    },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  progress.clear();
  const bad = result.stores.some((store) => store.missing + store.corrupt + store.unreachable > 0);
  if (options.json) terminal.out(`${JSON.stringify({ type: 'summary', ...result })}\n`);
  else {
    const rows = result.stores.map((each) => [
      each.store,
      each.right,
      each.missing,
      each.corrupt,
      each.pending,
      each.unreachable,
      formatBytes(each.bytes),
    ]);
    terminal.out(
      `${formatTable([['store', 'right', 'missing', 'corrupt', 'pending', 'unreachable', 'read'], ...rows])}\n\n`,
    );
    for (const sha256 of result.lost) terminal.out(`lost: no store holds a healthy copy of ${sha256}\n`);
    terminal.out(
      bad
        ? 'Not everything is right. `npm run fixative -- restore --all` repairs what can be repaired.\n'
        : `All copies of ${result.blobs} blobs are right.\n`,
    );
  }
  return bad || result.lost.length > 0 ? EXIT.notRight : EXIT.ok;
}
