import { InputError } from '../../errors.ts';
import { parseUuid } from '../../image/image.ts';
import { decodeId } from '../builder/global-id.ts';

/** Returns the UUID of a run by its global id. @throws InputError INVALID_ID */
export function parseRunId(text: string, path: readonly string[]): string {
  const given = decodeId(text);
  const id = given?.type === 'MaintenanceRun' ? parseUuid(given.key) : null;
  if (id) return id;
  const message = `${JSON.stringify(text.slice(0, 100))} is not the id of a maintenance run. Use \`MaintenanceRun.id\`.`;
  throw new InputError('INVALID_ID', message, { path });
}
