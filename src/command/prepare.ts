import { makeTemplate, readTemplate, TEMPLATE_FILE } from '../database/pglite/template.ts';
import { EXIT, type ExitCode } from './terminal.ts';

/** `prepare`: makes the template of the embedded database, unless it exists. First starts copy it. */
export async function runPrepare(): Promise<ExitCode> {
  if (typeof (await readTemplate(TEMPLATE_FILE)) === 'string') await makeTemplate(TEMPLATE_FILE);
  return EXIT.ok;
}
