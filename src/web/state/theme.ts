import { makeSignal } from './signal.ts';
import { keepText, readText } from './storage.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'fixative-theme';

const saved = readText('local', KEY);
const signal = makeSignal<Theme>(THEMES.find((name) => name === saved) ?? 'auto');

/** Light, dark, or as the system says. Kept in this browser. */
export const theme = signal;

export function setTheme(value: Theme): void {
  keepText('local', KEY, value);
  signal.set(value);
  applyTheme();
}

export function applyTheme(): void {
  const value = signal.get();
  if (value === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
}
