import type { Queryable } from './database.ts';

/** One value that all servers of a database share, under a name. */
export interface SharedValue {
  /** Keeps the value where there is none yet. @returns the one that is kept. */
  keep(value: string): Promise<string>;
  replace(value: string): Promise<void>;
}

export function sharedValue(db: Queryable, name: string): SharedValue {
  async function read(): Promise<string | null> {
    const [row] = await db.query<{ value: string }>('SELECT value FROM shared_values WHERE name = $1', [
      name,
    ]);
    return row?.value ?? null;
  }

  return {
    async keep(value) {
      // Mostly it is there, and can be read where nothing can be written.
      const known = await read();
      if (known !== null) return known;
      await db.query('INSERT INTO shared_values (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        name,
        value,
      ]);
      return (await read()) ?? value;
    },
    async replace(value) {
      await db.query(
        `INSERT INTO shared_values (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()`,
        [name, value],
      );
    },
  };
}
