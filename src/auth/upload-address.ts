import { FixativeError } from '../errors.ts';
import type { ExpectedArrival } from '../storage/arrivals/arrivals.ts';
import type { Signer } from './signature.ts';

/**
 * Signs and checks the addresses of this server that upload targets are PUT to. The signature replaces a
 * token. It grants this one target, until it expires.
 */
export function makeUploadAddress(signer: Signer, publicUrl: () => string) {
  const textOf = (id: string, expires: string) => `upload\n${id}\n${expires}`;
  return {
    urlOf({ id, expiresAt }: Pick<ExpectedArrival, 'id' | 'expiresAt'>): string {
      const expires = String(Math.floor(expiresAt.getTime() / 1000));
      const query = new URLSearchParams({ expires, signature: signer.sign(textOf(id, expires)) });
      return `${publicUrl()}/uploads/${id}?${query}`;
    },

    /** @throws FixativeError FORBIDDEN if this server did not sign the address, EXPIRED if it has expired. */
    check(id: string, query: URLSearchParams): void {
      const expires = query.get('expires') ?? '';
      if (!signer.verifies(textOf(id, expires), query.get('signature') ?? '')) {
        throw new FixativeError(
          'FORBIDDEN',
          'The signature of this address is invalid. Use the `url` of createUploadTarget unchanged.',
        );
      }
      if (Number(expires) * 1000 > Date.now()) return;
      throw new FixativeError(
        'EXPIRED',
        'This address has expired. Create a new target with createUploadTarget.',
      );
    },
  };
}

export type UploadAddress = ReturnType<typeof makeUploadAddress>;
