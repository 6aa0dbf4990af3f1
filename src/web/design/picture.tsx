import styles from './picture.module.css';

/** Fields of an image that `Picture` needs. */
export interface PictureImage {
  readonly uuid: string;
  readonly url?: string | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly thumbhash?: string | null;
}

interface PictureProps {
  readonly image: PictureImage;
  /** Width at which it is shown, in CSS pixels or as a `sizes` attribute. */
  readonly sizes: string;
  readonly alt: string;
  readonly className?: string;
  /** Whether to load it before it is near the screen. */
  readonly eager?: boolean;
}

/** An image of this server, in the right size. */
export const Picture = ({ image, sizes, alt, className, eager = false }: PictureProps) => (
  <img
    className={[styles.picture, className].filter(Boolean).join(' ')}
    src={image.url ?? ''}
    sizes={sizes}
    alt={alt}
    width={image.width ?? undefined}
    height={image.height ?? undefined}
    loading={eager ? 'eager' : 'lazy'}
    decoding="async"
  />
);
