import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { loadKeptSecret } from './kept-secret.ts';

/**
 * Signs texts that clients bring back, such as an address with its expiry. A signature proves only that this
 * server wrote the text. What it grants, and until when, must be in the text. The text begins with its
 * purpose, so that a signature cannot be used for another one.
 */
export interface Signer {
  /** Returns the HMAC-SHA256 (RFC 2104) of the text under the first key, in base64url. */
  sign(text: string): string;
  /** Returns whether one of the keys made the signature, in constant time. */
  verifies(text: string, signature: string): boolean;
}

/** @param keys the first signs, all verify: a key can be replaced while its signatures are still in use. */
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

/**
 * Returns the configured keys, or one of 256 random bits, which is created at the first start and kept in
 * `DATA_DIR/signing-key`.
 */
export async function loadSigningKeys(config: {
  signingKeys: readonly string[] | null;
  dataDirectory: string;
}): Promise<[string, ...string[]]> {
  const [first, ...more] = config.signingKeys ?? [];
  if (first) return [first, ...more];
  const file = path.join(config.dataDirectory, 'signing-key');
  return [await loadKeptSecret(file, () => randomBytes(32).toString('base64url'))];
}
