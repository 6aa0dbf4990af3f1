/** The keys of types without an `id` (docs/clients.md): those that a cache keeps one by one, and those that belong to what they stand in. */
import type { Data, KeyingConfig } from '@urql/exchange-graphcache';

const byName = ({ name }: Data) => String(name);

export const keys: KeyingConfig = {
  Store: byName,
  Tool: byName,
};
