import type { Client } from 'urql';
import { messageOf } from '../../client/errors.ts';
import { BulkRunDocument, CancelBulkRunDocument } from '../../generated/graphql.ts';
import { text as common } from '../../text/shared.ts';
import type { Tile } from '../list/list.ts';

/** Milliseconds between two looks at a run; its counts change each second. */
const LOOK_EVERY = 500;

export interface EndedRun {
  readonly total: number;
  readonly changed: number;
  /** At most the first 100 images that could not be changed. */
  readonly failures: readonly { readonly tile: Tile; readonly fault: string }[];
  /** Why it ended early; null: it did not. */
  readonly fault: string | null;
}

/**
 * Follows a bulk change to its end.
 * @param report called at each look, with a function that cancels the run.
 */
export async function followRun(
  client: Client,
  id: string,
  report: (done: number, total: number, stop: () => void) => void,
): Promise<EndedRun> {
  const stop = () => void client.mutation(CancelBulkRunDocument, { id }).toPromise();
  for (;;) {
    const { data, error } = await client.query(BulkRunDocument, { id }, { requestPolicy: 'network-only' });
    const run = data?.node && 'state' in data.node ? data.node : null;
    if (!run) return { total: 0, changed: 0, failures: [], fault: messageOf(error) };
    const { state, checked, changed, results } = run;
    const total = run.total ?? 0;
    if (state !== 'PENDING' && state !== 'RUNNING') {
      const failures = results.nodes.flatMap(({ image, error: reason }) =>
        image ? [{ tile: image, fault: reason?.message ?? common.unexpected }] : [],
      );
      const isEarly = state !== 'COMPLETED' && state !== 'CANCELLED';
      return { total, changed, failures, fault: isEarly ? (run.error ?? common.unexpected) : null };
    }
    report(checked, total, stop);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}
