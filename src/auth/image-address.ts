import type { Signer } from './signature.ts';

/** Rights that the signature in an address of an image grants. */
export interface Grant {
  /** To fetch the bytes without a token. */
  readonly access: boolean;
  /** To fetch the variant of the address, whatever its size. */
  readonly size: boolean;
}

export const NO_GRANT: Grant = { access: false, size: false };
export const MIN_SIGNED_SECONDS = 60;

/**
 * Signs and checks addresses of images. A signature with an expiry grants the bytes to everyone who has the
 * address, until then. A signature without one grants only a variant whose size is not listed, to callers who
 * may fetch the image anyway. The purpose is part of the signed text, so that one kind cannot be used as the
 * other. Addresses stay valid when an image is renamed, because they name its uuid.
 */
export function makeImageAddress(signer: Signer) {
  const textOf = (uuid: string, expires: string, transform: string) =>
    `image ${expires === '' ? 'size' : 'access'}\n/images/${uuid}\n${expires}\n${transform}`;
  return {
    /**
     * Returns the query of the address.
     * @param transform as formatTransform writes it; '' for the original.
     */
    sign(uuid: string, { expiresAt, transform }: { expiresAt: Date | null; transform: string }): string {
      const expires = expiresAt ? String(Math.floor(expiresAt.getTime() / 1000)) : '';
      const query = new URLSearchParams(transform);
      if (expires) query.set('expires', expires);
      query.set('signature', signer.sign(textOf(uuid, expires, transform)));
      return String(query);
    },

    /**
     * Returns what the signature grants: nothing if it is altered, expired, or of another image or variant.
     */
    check(uuid: string, query: URLSearchParams, transform: string): Grant {
      const signature = query.get('signature') ?? '';
      if (signature === '') return NO_GRANT;
      const expires = query.get('expires') ?? '';
      // Several base64url texts decode to the same bytes. Only the canonical one is accepted.
      const isOurs =
        Buffer.from(signature, 'base64url').toString('base64url') === signature &&
        /^\d{0,12}$/.test(expires) &&
        signer.verifies(textOf(uuid, expires, transform), signature);
      if (!isOurs) return NO_GRANT;
      if (expires === '') return { access: false, size: true };
      const valid = Number(expires) * 1000 > Date.now();
      return { access: valid, size: valid };
    },
  };
}

export type ImageAddress = ReturnType<typeof makeImageAddress>;
