import { makeAuthenticator } from '../auth/authenticator.ts';
import { makeImageAddress } from '../auth/image-address.ts';
import { loadRootToken } from '../auth/root-token.ts';
import { loadSigningKeys, makeSigner } from '../auth/signature.ts';
import { openTokens } from '../auth/tokens.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../log.ts';
import type { Closing } from './closing.ts';

/** Opens the tokens and the keys: everything that decides who may enter. */
export async function openAccess(
  config: Config,
  { database, closing, log }: { database: Database; closing: Closing; log: Logger },
) {
  const rootToken = await loadRootToken(config);
  const tokens = openTokens(database, log);
  closing.add('tokens', () => tokens.close());
  const authenticator = makeAuthenticator(rootToken, {
    isSecure: config.publicUrl?.startsWith('https:') ?? false,
    tokens,
    jwt: await openJwtVerifier(config, log),
  });
  const signingKeys = await loadSigningKeys(config);
  const signer = makeSigner(signingKeys);
  return { rootToken, tokens, authenticator, signingKeys, signer, imageAddress: makeImageAddress(signer) };
}

/** Loads the verifier, and with it the client that fetches public keys, only when it is configured. */
async function openJwtVerifier({ jwt }: Config, log: Logger) {
  if (jwt === null) return null;
  const { makeJwtVerifier } = await import('../auth/jwt.ts');
  return makeJwtVerifier(jwt, log);
}
