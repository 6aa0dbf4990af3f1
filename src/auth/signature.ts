import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { loadKeptSecret } from './kept-secret.ts';

/**
 * Signs what is handed out and comes back, such as an address with its expiry. A signature says that the text is ours and nothing
 * else: what it allows, and until when, has to be in the text, which begins with its purpose so that none passes for another.
 */
export interface Signer {
  /** HMAC-SHA256 (RFC 2104) under the first key, in Base64url. */
  sign(text: string): string;
  /** Whether one of the keys made the signature; takes the same time whichever did, and when none did. */
  verifies(text: string, signature: string): boolean;
}

/** @param keys the first signs, all verify: so that a key can be replaced while what it has signed is still out. */
export function makeSigner(keys: readonly [string, ...string[]]): Signer {
  const mac = (key: string, text: string) => createHmac('sha256', key).update(text).digest();
  return {
    sign: (text) => mac(keys[0], text).toString('base64url'),
    verifies(text, signature) {
      const given = Buffer.from(signature, 'base64url');
      let verified = false;
      for (const key of keys) {
        const own = mac(key, text);
        if (own.length === given.length && timingSafeEqual(own, given)) verified = true;
      }
      return verified;
    },
  };
}

/** The configured keys, or one of 256 random bits that is made at the first start and kept in `DATA_DIR/signing-key`. */
export async function loadSigningKeys(config: {
  signingKeys: readonly string[] | null;
  dataDirectory: string;
}): Promise<[string, ...string[]]> {
  const [first, ...more] = config.signingKeys ?? [];
  if (first) return [first, ...more];
  const file = path.join(config.dataDirectory, 'signing-key');
  return [await loadKeptSecret(file, () => randomBytes(32).toString('base64url'))];
}
