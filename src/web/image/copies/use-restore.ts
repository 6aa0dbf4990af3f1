import { useState } from 'react';
import { useMutation } from 'urql';
import { messageOf } from '../../client/errors.ts';
import { RestoreCopiesDocument, type RestoreCopiesMutation } from '../../generated/graphql.ts';

export interface RestoreResult {
  /** Names of the stores whose copies were made. */
  readonly restored: readonly string[];
  /** Store that they were made from. */
  readonly source: string | null;
  /** Why copies could not be restored, by the name of the store. */
  readonly faults: ReadonlyMap<string, string>;
  /** Why the restore as a whole failed. */
  readonly fault: string | null;
  /** Store that alone was restored; null: all. */
  readonly only: string | null;
}

type Payload = NonNullable<RestoreCopiesMutation['restoreImage']>;

export interface Restore {
  /** Store that is being restored alone, `all`, or null while nothing runs. */
  readonly running: string | null;
  readonly result: RestoreResult | null;
  /** Reads and restores the copy in one store, or in all. */
  readonly start: (store?: string) => Promise<void>;
}

/** Restores the copies of an image, and keeps the result of the last run. */
export function useRestore({ id }: { readonly id: string }): Restore {
  const [, run] = useMutation(RestoreCopiesDocument);
  const [running, setRunning] = useState<string | null>(null);
  const [result, setResult] = useState<RestoreResult | null>(null);
  const start = async (store?: string) => {
    if (running !== null) return;
    setRunning(store ?? 'all');
    setResult(null);
    const { data, error } = await run({ id, stores: store === undefined ? null : [store] });
    setRunning(null);
    const payload = data?.restoreImage;
    setResult(
      payload
        ? resultOf(payload, store ?? null)
        : { restored: [], source: null, faults: new Map(), fault: messageOf(error), only: store ?? null },
    );
  };
  return { running, result, start };
}

function resultOf({ restored, source, userErrors }: Payload, only: string | null): RestoreResult {
  const faults = new Map(
    userErrors.flatMap((error) => (error.__typename === 'StoreError' ? [[error.store, error.message]] : [])),
  );
  return {
    restored: restored.map(({ store }) => store),
    source: source ?? null,
    faults,
    fault: userErrors.find(({ __typename }) => __typename !== 'StoreError')?.message ?? null,
    only,
  };
}
