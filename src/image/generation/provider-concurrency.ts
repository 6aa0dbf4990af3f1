import { type Gate, makeGate } from '../../storage/gate.ts';

/** Runs a call when its provider has fewer calls under way than the limit; otherwise waits. */
export type ProviderConcurrency = <Result>(provider: string, call: () => Promise<Result>) => Promise<Result>;

/** @param limit most calls that each provider may have under way at once. */
export function makeProviderConcurrency(limit: number): ProviderConcurrency {
  const gates = new Map<string, Gate>();
  return (provider, call) => {
    const gate = gates.get(provider) ?? makeGate(limit);
    gates.set(provider, gate);
    return gate(call);
  };
}
