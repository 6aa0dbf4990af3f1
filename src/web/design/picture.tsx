import { RobustImage } from '../robust-image/react.ts';
import { useSignal } from '../state/signal.ts';
import { variantWidths } from '../state/variant-widths.ts';
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
  readonly className?: string | undefined;
  /** Whether to load it before it is near the screen. */
  readonly eager?: boolean;
}

/** An image of this server, in the right size. It fills its frame; `className` may change that. */
export function Picture({ image, sizes, alt, className, eager = false }: PictureProps) {
  const widths = useSignal(variantWidths);
  return (
    <RobustImage
      className={[styles.picture, className].filter(Boolean).join(' ')}
      src={image.url}
      widths={widths}
      sizes={sizes}
      alt={alt}
      width={image.width}
      height={image.height}
      thumbhash={image.thumbhash}
      loading={eager ? 'eager' : 'lazy'}
    />
  );
}
