import { FixativeError } from '../errors.ts';
import type { Storage } from '../storage/service.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

/** `claim STORE`: accepts the directory of a store whose marker is missing. */
export async function runClaim(storage: Storage, name: string, terminal: Terminal): Promise<ExitCode> {
  const store = storage.stores.find((each) => each.name === name);
  if (!store || !('claim' in store)) {
    const claimable = storage.stores.filter((each) => 'claim' in each).map((each) => each.name);
    throw new FixativeError(
      'INVALID_INPUT',
      `Store ${JSON.stringify(name)} cannot be claimed. Stores that can: ${claimable.join(', ') || 'none'}.`,
    );
  }
  await (store as typeof store & { claim(): Promise<void> }).claim();
  terminal.out(`Claimed ${name}. Run \`npm run fixative -- restore --all\` to fill it.\n`);
  return EXIT.ok;
}
