import { configurationDocument, envExampleText } from '../config/settings-text.ts';

/**
 * Returns the text of .env.example (`env`) or docs/configuration.md (`markdown`); `npm run settings` writes
 * both.
 */
export function settingsText(format: 'env' | 'markdown'): string {
  return format === 'env' ? envExampleText() : configurationDocument();
}
