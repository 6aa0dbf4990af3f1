/**
 * Prints what the texts of the repository break of docs/style.md, and exits with 1 if they break anything:
 * `npm run check:words`.
 */
import { fileURLToPath } from 'node:url';
import { lintWords } from './words.ts';

const findings = await lintWords(fileURLToPath(new URL('../..', import.meta.url)));
for (const { file, line, text, advice } of findings)
  process.stderr.write(`${file}:${line}: ${text.trim()}\n  ${advice}\n`);
if (findings.length > 0) process.exitCode = 1;
