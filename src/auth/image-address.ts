import type { Signer } from './signature.ts';

/** What a signature in the address of an image allows. */
export interface Grant {
  /** Its bytes, whoever asks. */
  readonly access: boolean;
  /** The variant that the address names, whatever its size. */
  readonly size: boolean;
}

export const NO_GRANT: Grant = { access: false, size: false };
export const MIN_SIGNED_SECONDS = 60;
export const MAX_SIGNED_SECONDS = 7 * 24 * 60 * 60;

/**
 * Signs addresses of images. With an expiry a signature gives the bytes to whoever has the address, until then; without one it allows only
 * a variant whose size is not on the list, to whoever is given the image anyhow. The two are signed for different purposes, so that
 * neither passes for the other. The image is named by its uuid, so a new name of it ends no address.
 */
export function makeImageAddress(signer: Signer) {
  const textOf = (uuid: string, expires: string, transform: string) =>
    `image ${expires === '' ? 'size' : 'access'}\n/images/${uuid}\n${expires}\n${transform}`;
  return {
    /** What is to stand behind the `?`. @param transform as formatTransform writes it; '' for the original. */
    sign(uuid: string, { expiresAt, transform }: { expiresAt: Date | null; transform: string }): string {
      const expires = expiresAt ? String(Math.floor(expiresAt.getTime() / 1000)) : '';
      const query = new URLSearchParams(transform);
      if (expires) query.set('expires', expires);
      query.set('signature', signer.sign(textOf(uuid, expires, transform)));
      return String(query);
    },

    /** Nothing is allowed by a signature that is altered, expired, or of another image or variant. */
    check(uuid: string, query: URLSearchParams, transform: string): Grant {
      const signature = query.get('signature') ?? '';
      if (signature === '') return NO_GRANT;
      const expires = query.get('expires') ?? '';
      // Base64url has several spellings of the same bytes; one of them is ours.
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
