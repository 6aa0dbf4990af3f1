import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/database.ts';
import type { Outages } from '../storage/outages.ts';

const RETRY_MS = 5000;

/** The first of several servers that notices an outage, or its end, reports it. */
const BEGIN = `WITH begun AS (INSERT INTO webhook_outages (store) VALUES ($1) ON CONFLICT DO NOTHING RETURNING store, since)
  SELECT fixative_webhook_event('store.unreachable', json_build_object('store', store, 'reason', left($2::text, 500), 'since', since))
  FROM begun`;
const END = `WITH ended AS (DELETE FROM webhook_outages WHERE store = $1 RETURNING store, since)
  SELECT fixative_webhook_event('store.recovered', json_build_object('store', store, 'since', since,
    'seconds', round(extract(epoch FROM now() - since)))) FROM ended`;

/**
 * Reports outages of stores, and their ends. While the database is away, it tries again until the report is
 * written or the state has changed.
 */
export function reportOutages(database: Database, outages: Outages): { stop(): Promise<void> } {
  const stopping = new AbortController();
  /** State to report, by store. */
  const open = new Map<string, { readonly text: string; readonly values: readonly string[] }>();
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    while (open.size > 0 && !stopping.signal.aborted) {
      for (const [store, report] of open) {
        try {
          await database.query(report.text, report.values);
          if (open.get(store) === report) open.delete(store);
        } catch {
          // The database itself logs why it does not answer.
        }
      }
      if (open.size > 0) await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
    writing = null;
  }
  const report = (store: string, text: string, values: readonly string[]) => {
    open.set(store, { text, values });
    writing ??= write();
  };

  outages.onBegin((store, reason) => report(store, BEGIN, [store, reason]));
  outages.onEnd((store) => report(store, END, [store]));
  return {
    async stop() {
      stopping.abort();
      await writing;
    },
  };
}
