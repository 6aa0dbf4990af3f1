import { print } from 'graphql';
import { openEvents } from '../event-source.ts';
import { MaintenanceRunUpdatedDocument, type RunFragment } from '../generated/graphql.ts';

export interface RunEvent {
  readonly run: RunFragment;
  /** Milliseconds since 1970 at which it arrived. */
  readonly at: number;
}

/**
 * Follows a run over server-sent events to its end, and yields each event. Throws when the subscription does
 * not complete.
 */
export async function* followRun(app: { readonly url: string }, id: string): AsyncGenerator<RunEvent> {
  const events = await openEvents(app, print(MaintenanceRunUpdatedDocument), { variables: { id } });
  try {
    for (;;) {
      const event = await events.next();
      if (event === null) throw new Error('the connection was cut');
      if (event.event === 'complete') return;
      if (event.data.errors) throw new Error(JSON.stringify(event.data.errors));
      yield { run: event.data.data.maintenanceRunUpdated, at: Date.now() };
    }
  } finally {
    events.close();
  }
}

/** Follows a run to its end. @returns its events. */
export async function allEvents(app: { readonly url: string }, id: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of followRun(app, id)) events.push(event);
  return events;
}
