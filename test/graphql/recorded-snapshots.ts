import type { Database } from '../../src/database/database.ts';

/** Returns a database that records the statements of its snapshots. */
export function recordSnapshots(database: Database): { database: Database; statements: string[] } {
  const statements: string[] = [];
  const snapshot: Database['snapshot'] = (work) =>
    database.snapshot((state) =>
      work({
        query: (text, ...rest) => {
          statements.push(text);
          return state.query(text, ...rest);
        },
      }),
    );
  return { database: { ...database, snapshot }, statements };
}
