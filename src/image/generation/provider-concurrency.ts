import { type Gate, makeGate } from '../../storage/gate.ts';

/** Runs work when there is a place for it among that of the same name; the names are few and known. */
export type Places = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

export function makePlaces(perName: number): Places {
  const gates = new Map<string, Gate>();
  return (name, work) => {
    const gate = gates.get(name) ?? makeGate(perName);
    gates.set(name, gate);
    return gate(work);
  };
}
