/** Writes .env.example and docs/configuration.md from the table of settings. */
import type { Section, Setting } from './setting.ts';
import { SECTIONS } from './settings.ts';

const WIDTH = 120;

const ABOUT_ENV_EXAMPLE =
  'Every setting of Fixative. Copy this file to .env and change what you need. A variable of the environment takes precedence over the same line in .env. A line shows the default, unless its comment names another one. Sizes in bytes may be written as 50 MiB. `npm run settings` writes this file from src/config/.';

const ABOUT_DOCUMENT =
  'Settings are environment variables. They can also stand in a file `.env` in the working directory (copy [.env.example](../.env.example)); the environment takes precedence over the file. An empty variable counts as not set. Sizes in bytes may be written as `50 MiB`. A start with bad settings fails and names all of them at once. `npm run settings` writes this page from `src/config/`.';

/** Returns the text of .env.example. */
export function envExampleText(): string {
  const sections: readonly Section[] = SECTIONS;
  return [comment(ABOUT_ENV_EXAMPLE), ...sections.map(envSection)].join('\n');
}

function envSection({ title, about = [], settings }: Section): string {
  const head = [`# --- ${title} ---\n`, ...about.map(comment)].join('');
  return [head, ...Object.entries(settings).map(envSetting)].join('\n');
}

function envSetting([name, setting]: [string, Setting]): string {
  const shown = setting.example ?? setting.default ?? '';
  const defaultText =
    shown === setting.default && setting.defaultText === undefined ? null : defaultOf(setting);
  return `${comment(describe(setting, defaultText))}#${name}=${shown}\n`;
}

/** Returns the text of docs/configuration.md. */
export function configurationDocument(): string {
  const sections: readonly Section[] = SECTIONS;
  return [`# Configuration\n\n${wrap(ABOUT_DOCUMENT, '')}`, ...sections.map(documentSection)].join('\n');
}

function documentSection({ title, about = [], settings }: Section): string {
  const paragraphs = about.map((text) => escapeMarkdown(wrap(text, '')));
  const entries = Object.entries(settings).map(([name, setting]) => {
    const text = setting.default ? `\`${setting.default}\`` : null;
    const defaultText = setting.defaultText ?? text ?? defaultOf(setting);
    return wrap(`- **\`${name}\`** ${escapeMarkdown(describe(setting, defaultText))}`, '  ').replace(
      /^ {2}/,
      '',
    );
  });
  return [`## ${title}\n`, ...paragraphs, entries.join('')].filter(Boolean).join('\n');
}

function defaultOf(setting: Setting): string {
  return setting.defaultText ?? (setting.default || 'not set');
}

/** Returns the description with the allowed values and, unless it is null, the default. */
function describe({ description, parser }: Setting, defaultText: string | null): string {
  const allowed = parser.description;
  return [
    description,
    ...(allowed === undefined ? [] : [`${allowed}.`]),
    ...(defaultText === null ? [] : [`Default: ${defaultText}.`]),
  ].join(' ');
}

const comment = (text: string) => wrap(text, '# ');

/** A name such as `*_BASE_URL` or `<deployment>` is text and no markup. */
const escapeMarkdown = (text: string) =>
  text.replaceAll(/`[^`]*`|<|(?<!\*)\*(?!\*)/g, (part) =>
    part === '<' || part === '*' ? `\\${part}` : part,
  );

/**
 * Breaks a text into lines of at most 120 columns, each with the prefix. Code in backticks stays in one line.
 */
function wrap(text: string, prefix: string): string {
  const words = text.match(/(?:`[^`]*`|\S)+/g) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && prefix.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${prefix}${each}\n`).join('');
}
