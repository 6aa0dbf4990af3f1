/** Types of `robust-image-react.js`. The module imports React 19, and nothing else. */
import type { CSSProperties, ReactElement } from 'react';
import type { RobustImageAttributes, RobustImageOptions } from './robust-image.js';

export interface RobustImageProps extends Omit<RobustImageOptions, 'frame'> {
  /** Class of the frame. Its sizes win over `width` and `height`; `object-fit` is inherited. */
  className?: string | undefined;
  /** Class of the `<img>` inside. */
  imageClassName?: string | undefined;
  /** Name of the store that keeps the image. It is shown with `mark`. */
  store?: string | null | undefined;
  mark?: boolean | undefined;
  style?: CSSProperties | undefined;
}

export declare function RobustImage(props: RobustImageProps): ReactElement;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'robust-image': RobustImageAttributes & { key?: string | number; ref?: unknown; children?: never };
    }
  }
}
