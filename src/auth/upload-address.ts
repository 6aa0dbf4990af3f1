import { FixativeError } from '../errors.ts';
import type { ExpectedArrival } from '../storage/arrivals/arrivals.ts';
import type { Signer } from './signature.ts';

/**
 * Our own address to which the bytes of one upload target are PUT: the signature in it is all that the sender needs to have, and it
 * allows nothing but this one target until it expires.
 */
export function makeUploadAddress(signer: Signer, publicUrl: () => string) {
  const textOf = (id: string, expires: string) => `upload\n${id}\n${expires}`;
  return {
    urlOf({ id, expiresAt }: Pick<ExpectedArrival, 'id' | 'expiresAt'>): string {
      const expires = String(Math.floor(expiresAt.getTime() / 1000));
      const query = new URLSearchParams({ expires, signature: signer.sign(textOf(id, expires)) });
      return `${publicUrl()}/uploads/${id}?${query}`;
    },

    /** @throws FixativeError FORBIDDEN where the address is not one that was given out, EXPIRED where it is one no more. */
    check(id: string, query: URLSearchParams): void {
      const expires = query.get('expires') ?? '';
      if (!signer.verifies(textOf(id, expires), query.get('signature') ?? '')) {
        throw new FixativeError(
          'FORBIDDEN',
          'The signature of this address is not valid; use the `url` of createUploadTarget as it is.',
        );
      }
      if (Number(expires) * 1000 > Date.now()) return;
      throw new FixativeError(
        'EXPIRED',
        'This address has expired; create a new target by createUploadTarget.',
      );
    },
  };
}

export type UploadAddress = ReturnType<typeof makeUploadAddress>;
