import type { Database } from '../database/database.ts';
import { FixativeError } from '../errors.ts';
import { findImages, parseUuid } from '../image/image.ts';
import { restoreImage } from '../image/restore.ts';
import { walkBlobs } from '../storage/blob.ts';
import type { Restoration, Storage } from '../storage/service.ts';
import { EXIT, type ExitCode, makeProgress, type Terminal } from './terminal.ts';

interface RestoreDeps {
  readonly database: Database;
  readonly storage: Storage;
}

/** `restore [ID…|--all]`: makes every store hold a healthy copy again. Ends with 3 when something could not be restored. */
export async function runRestore(
  deps: RestoreDeps,
  options: { ids: readonly string[]; all: boolean; json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.all === options.ids.length > 0) {
    throw new FixativeError('INVALID_INPUT', 'Say which images to restore by their uuids, or --all.');
  }
  const progress = makeProgress(terminal);
  const tally = { looked: 0, restored: 0, failed: 0 };
  for await (const { subject, restore } of subjects(deps, options)) {
    const outcome = await restore().catch((error) => {
      if (error instanceof FixativeError) return error;
      throw error;
    });
    tally.looked++;
    progress.update(`looked at ${tally.looked}, restored ${tally.restored} copies`);
    const { restored, source, failed } =
      outcome instanceof FixativeError ? { restored: [], source: null, failed: [outcome] } : outcome;
    tally.restored += restored.length;
    tally.failed += failed.length;
    if (restored.length + failed.length > 0) progress.clear();
    if (options.json) {
      const errors = failed.map(({ code, message }) => ({ code, message }));
      terminal.out(`${JSON.stringify({ type: 'restored', subject, restored, source, errors })}\n`);
    } else {
      for (const copy of restored) terminal.out(`restored  ${subject} into ${copy.store} from ${source}\n`);
      for (const error of failed) terminal.out(`failed    ${subject}: ${error.message}\n`);
    }
  }
  progress.clear();
  if (options.json) terminal.out(`${JSON.stringify({ type: 'summary', ...tally })}\n`);
  else
    terminal.out(
      `Looked at ${tally.looked}; ${tally.restored} copies restored, ${tally.failed} could not be.\n`,
    );
  return tally.failed > 0 ? EXIT.notRight : EXIT.ok;
}

async function* subjects(
  deps: RestoreDeps,
  options: { ids: readonly string[]; all: boolean },
): AsyncGenerator<{ subject: string; restore: () => Promise<Restoration> }> {
  if (options.all) {
    for await (const blob of walkBlobs(deps.database)) {
      yield { subject: blob.sha256, restore: () => deps.storage.restore(blob.id) };
    }
    return;
  }
  for (const id of options.ids) {
    const uuid = parseUuid(id);
    const [image] = uuid ? await findImages(deps.database, [uuid]) : [null];
    if (!image)
      throw new FixativeError(
        'NOT_FOUND',
        `There is no image ${JSON.stringify(id)}. Images are named by their uuid here.`,
      );
    yield { subject: image.uuid, restore: () => restoreImage(deps, image) };
  }
}
