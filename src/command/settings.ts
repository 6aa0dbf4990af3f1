import { configurationDocument, envExampleText } from '../config/settings-text.ts';

/** Documents about the settings. `npm run settings` writes both into their files. */
export const SETTINGS_FORMATS = ['env', 'markdown'] as const;
export type SettingsFormat = (typeof SETTINGS_FORMATS)[number];

/** Returns the text of .env.example (`env`) or docs/configuration.md (`markdown`). */
export function settingsText(format: SettingsFormat): string {
  return format === 'env' ? envExampleText() : configurationDocument();
}
