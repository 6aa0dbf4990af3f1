import type { Database } from '../database/database.ts';
import { FixativeError } from '../errors.ts';
import type { ImageFilter } from '../image/list/conditions.ts';
import { restoreMany } from '../image/maintenance/restore-many.ts';
import type { Storage } from '../storage/service.ts';
import { EXIT, type ExitCode, makeProgress, type Terminal } from './terminal.ts';

interface RestoreDeps {
  readonly database: Database;
  readonly storage: Storage;
}

export interface RestoreCommand {
  readonly ids: readonly string[];
  readonly all: boolean;
  /** Filter of the images, as in `images(filter)`. */
  readonly filter?: ImageFilter;
  readonly dryRun: boolean;
  /** Percent of a store that may be missing, or orphans, before the run stops. */
  readonly maxMissing: number;
  /** Age in seconds below which orphans are left alone. */
  readonly orphanGraceSeconds: number;
  readonly json: boolean;
}

/**
 * `restore [ID…|--filter JSON|--all]`: makes every store hold a healthy copy again. --all first checks what
 * exists, as `verify --fast` does, restores what is missing, and moves orphans into quarantine. Returns exit
 * code 3 when a copy could not be restored, and with --all also when a store is unreachable, because its
 * missing copies are unknown then.
 */
export async function runRestore(
  deps: RestoreDeps,
  options: RestoreCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const ways = [options.all, options.ids.length > 0, options.filter !== undefined].filter(Boolean);
  if (ways.length !== 1) {
    throw new FixativeError(
      'INVALID_INPUT',
      'Name the images to restore: by their uuids, or --filter, or --all.',
    );
  }
  const progress = makeProgress(terminal);
  const tally = { looked: 0, restored: 0, failed: 0, quarantined: 0 };
  const say = (text: string, line: object) => {
    progress.clear();
    terminal.out(options.json ? `${JSON.stringify(line)}\n` : `${text}\n`);
  };

  const unreachable = new Set<string>();
  if (options.all) {
    const { stores } = await deps.storage.verify({
      deep: false,
      orphans: false,
      records: false,
      maxMissingPercent: options.maxMissing,
      onProgress: ({ copies, of }) => progress.update(`checked ${copies} of ${of} copies`),
    });
    for (const store of stores) if (store.unreachable > 0) unreachable.add(store.store);
  }
  const wanted = options.all ? ({ lacking: true } as const) : wantedImages(options);
  for await (const outcome of restoreMany(deps, wanted, { dryRun: options.dryRun })) {
    const { subject, restored, source, failed } = outcome;
    tally.looked++;
    tally.restored += restored.length;
    tally.failed += failed.length;
    const verb = options.dryRun ? 'would restore' : 'restored';
    if (options.json) {
      const errors = failed.map(({ code, message }) => ({ code, message }));
      say('', { type: 'restored', dryRun: options.dryRun, subject, restored, source, errors });
    } else {
      for (const copy of restored) say(`${verb}  ${subject} into ${copy.store} from ${source}`, {});
      for (const error of failed) say(`failed    ${subject}: ${error.message}`, {});
    }
    progress.update(`restored ${tally.restored} copies of ${tally.looked} blobs`);
  }
  if (options.all) tally.quarantined = await quarantine(deps.storage, options, { say, unreachable });
  progress.clear();
  if (options.json)
    terminal.out(
      `${JSON.stringify({ type: 'summary', dryRun: options.dryRun, ...tally, unreachable: [...unreachable] })}\n`,
    );
  else {
    const quarantined = tally.quarantined > 0 ? `, ${tally.quarantined} orphans into quarantine` : '';
    const verb = options.dryRun ? 'copies would be restored' : 'copies restored';
    terminal.out(
      `Checked ${tally.looked}: ${tally.restored} ${verb}, ${tally.failed} could not be restored${quarantined}.\n`,
    );
    if (unreachable.size > 0)
      terminal.out(
        `Unreachable: ${[...unreachable].join(', ')}. Run the command again when these stores answer.\n`,
      );
  }
  return tally.failed > 0 || unreachable.size > 0 ? EXIT.notRight : EXIT.ok;
}

const wantedImages = ({ ids, filter }: Pick<RestoreCommand, 'ids' | 'filter'>) =>
  filter ? { filter } : { ids };

async function quarantine(
  storage: Storage,
  options: Pick<RestoreCommand, 'dryRun' | 'maxMissing' | 'orphanGraceSeconds'>,
  { say, unreachable }: { say: (text: string, line: object) => void; unreachable: Set<string> },
): Promise<number> {
  let moved = 0;
  for (const { name } of storage.stores) {
    try {
      const outcome = await storage.quarantine(name, {
        graceSeconds: options.orphanGraceSeconds,
        maxMissingPercent: options.maxMissing,
        dryRun: options.dryRun,
        onQuarantined: (orphan) =>
          say(`quarantined  ${orphan.key} of ${name}, an orphan`, {
            type: 'quarantined',
            ...orphan,
          }),
      });
      moved += outcome.moved;
      if (outcome.young > 0) {
        say(`left alone   ${outcome.young} orphans in ${name} that are younger than --orphan-grace`, {
          type: 'young',
          store: name,
          count: outcome.young,
        });
      }
    } catch (error) {
      // Goes on with the other stores.
      if (!(error instanceof FixativeError) || error.code !== 'STORE_UNAVAILABLE') throw error;
      unreachable.add(name);
      say(`unreachable  ${error.message}`, { type: 'unreachable', store: name, error: error.message });
    }
  }
  return moved;
}
