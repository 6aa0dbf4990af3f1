import { currentActor } from '../audit/actor.ts';
import { InputError } from '../errors.ts';
import type { Services } from '../graphql/context.ts';
import { type BulkChange, changeImages } from '../image/bulk/change.ts';
import { detailOf, errorOf } from '../image/bulk/detail.ts';
import { eachResult, type ImageResult } from '../image/bulk/results.ts';
import { requireChange, startBulk } from '../image/bulk/run.ts';
import { findImages, parseUuid } from '../image/image.ts';
import type { ImageFilter } from '../image/list/conditions.ts';
import { executeRun } from '../image/maintenance/execute.ts';
import { findRuns } from '../image/maintenance/run.ts';
import { makeMaintenanceWorks } from '../job/maintenance-works.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

export interface ImagesCommand {
  readonly ids: readonly string[];
  readonly filter?: ImageFilter;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * `images update|delete|undelete|purge (ID…|--filter JSON)`: changes images as the mutations of many images
 * do. A filter is changed by a run that is in the queue too, so a server continues it when this process is
 * killed. Returns exit code 3 when an image could not be changed.
 */
export async function runImages(
  services: Services,
  change: BulkChange,
  { ids, filter, dryRun, json }: ImagesCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  if (ids.length > 0 === (filter !== undefined))
    throw new InputError('INVALID_INPUT', 'Name the images to change: by their uuids, or by --filter.');
  const results = filter
    ? changeFilter(services, change, filter, dryRun)
    : changeIds(services, change, ids, dryRun);
  const counts: Record<string, number> = { CHANGED: 0, UNCHANGED: 0, SKIPPED: 0, FAILED: 0 };
  for await (const result of results) {
    const { uuid, outcome, error } = result;
    if (outcome) counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (json) terminal.out(`${JSON.stringify(result)}\n`);
    else if (error) terminal.out(`failed  ${uuid}: ${error.message}\n`);
  }
  const { CHANGED: changed, UNCHANGED: unchanged, SKIPPED: skipped, FAILED: failed = 0 } = counts;
  if (json)
    terminal.out(`${JSON.stringify({ type: 'summary', dryRun, changed, unchanged, skipped, failed })}\n`);
  else {
    const verb = dryRun ? 'would be changed' : 'changed';
    terminal.out(
      `${changed} ${verb}, ${unchanged} were so already, ${skipped} left alone, ${failed} failed.\n`,
    );
  }
  return failed > 0 ? EXIT.notRight : EXIT.ok;
}

async function* changeIds(
  services: Services,
  change: BulkChange,
  ids: readonly string[],
  dryRun: boolean,
): AsyncGenerator<ImageResult> {
  requireChange(services, change);
  const uuids = ids.map((id) => parseUuid(id) ?? '');
  const images = await findImages(services.database, uuids.filter(Boolean));
  const found = new Map(images.flatMap((image) => (image ? [[image.uuid, Number(image.id)] as const] : [])));
  const unknown = ids.find((_id, index) => !found.has(uuids[index] ?? ''));
  if (unknown !== undefined) {
    const message = `There is no image ${JSON.stringify(unknown)}. Use the uuid of an image. Nothing was changed.`;
    throw new InputError('NOT_FOUND', message);
  }
  const rows = uuids.map((uuid) => found.get(uuid) ?? 0);
  for (const [index, { outcome, error }] of (
    await changeImages(services, change, rows, { dryRun })
  ).entries())
    yield { uuid: uuids[index] ?? '', outcome, error: errorOf(error && detailOf(error)) };
}

async function* changeFilter(
  services: Services,
  change: BulkChange,
  filter: ImageFilter,
  dryRun: boolean,
): AsyncGenerator<ImageResult> {
  const { maintenanceQueue, retentionMaxShare, database } = services;
  const asked = { change, filter, dryRun, visibleTo: null, actor: currentActor() };
  const { id } = await startBulk(services, asked, maintenanceQueue.push);
  await executeRun(services, makeMaintenanceWorks({ retentionMaxShare }), id, new AbortController().signal);
  const [run] = await findRuns(database, [id]);
  if (run && run.state !== 'COMPLETED')
    throw new InputError(run.errorCode ?? 'INTERRUPTED', run.error ?? `The run ended as ${run.state}.`);
  yield* eachResult(database, id);
}
