import { makeTemplate, readTemplate, TEMPLATE_FILE } from '../database/pglite/template.ts';
import { EXIT, type ExitCode } from './terminal.ts';

/** Makes what the first start begins from, if it is not there yet. */
export async function runPrepare(): Promise<ExitCode> {
  if (typeof (await readTemplate(TEMPLATE_FILE)) === 'string') await makeTemplate(TEMPLATE_FILE);
  return EXIT.ok;
}
