import { makeSignal } from '../state/signal.ts';
import { keepText, readText } from '../state/storage.ts';
import { type Draft, EMPTY_DRAFT, parseDraft } from './draft.ts';
import { setReferences } from './references/pictures.ts';

const KEY = 'fixative-make';

const signal = makeSignal(parseDraft(readText('session', KEY)));

/** The form, kept while the tab is open. */
export const draft = { get: signal.get, subscribe: signal.subscribe };

export function setDraft(changes: Partial<Draft>): void {
  signal.set({ ...signal.get(), ...changes });
  keepText('session', KEY, JSON.stringify(signal.get()));
}

/** Empties the form. */
export function clearForm(): void {
  setDraft(EMPTY_DRAFT);
  setReferences([]);
}
