import type { Queryable } from './database.ts';

/** A named value that all servers of a database share. */
export interface SharedValue {
  /** Stores the value unless there is one. @returns the stored value. */
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
      // It usually exists, and can be read also while writes fail.
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
