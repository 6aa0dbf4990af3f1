import { useMemo, useRef } from 'react';
import { useQuery } from 'urql';
import Lightbox, { type SlideImage } from 'yet-another-react-lightbox';
import Zoom from 'yet-another-react-lightbox/plugins/zoom';
import 'yet-another-react-lightbox/styles.css';
import { altOf } from '../../design/title.ts';
import {
  type ImageDetailsFragment,
  ImagesBesideDocument,
  type ImageTileFragment,
} from '../../generated/graphql.ts';
import type { Neighbours } from '../../state/neighbours.ts';
import { viewer } from '../../text/image.ts';
import styles from './viewer.module.css';

interface ViewerProps {
  readonly image: ImageDetailsFragment;
  readonly around: Neighbours | undefined;
  readonly onMove: (uuid: string) => void;
  readonly onClose: () => void;
}

/** Screen pixels for one pixel of the picture at the highest zoom. */
const MAX_ZOOM = 4;

const LABELS = {
  Previous: viewer.previous,
  Next: viewer.next,
  Close: viewer.close,
  'Zoom in': viewer.zoomIn,
  'Zoom out': viewer.zoomOut,
  Lightbox: viewer.label,
  Slide: viewer.slide,
};

/** The originals, full screen: zoom by wheel, keys, pinch and double click, move by keys and swipes. */
export default function Viewer({ image, around, onMove, onClose }: ViewerProps) {
  const images = useSlides(image, around);
  const slides = useMemo(() => images.map(slideOf), [images]);
  const index = images.findIndex(({ uuid }) => uuid === image.uuid);
  return (
    <Lightbox
      open
      close={onClose}
      className={styles.viewer as string}
      slides={slides}
      index={index}
      plugins={[Zoom]}
      labels={LABELS}
      carousel={{ finite: true, preload: 1 }}
      animation={matchMedia('(prefers-reduced-motion: reduce)').matches ? { fade: 0, swipe: 0, zoom: 0 } : {}}
      zoom={{ maxZoomPixelRatio: MAX_ZOOM, scrollToZoom: true }}
      controller={{ closeOnPullDown: true, closeOnBackdropClick: true }}
      render={{
        slide: ({ slide }) =>
          slide.src === '' ? <p className={styles.nothing}>{viewer.nothing}</p> : undefined,
        ...(index === 0 ? { buttonPrev: () => null } : {}),
        ...(index === images.length - 1 ? { buttonNext: () => null } : {}),
      }}
      on={{
        view: ({ index: shown }) => {
          const uuid = images[shown]?.uuid;
          if (uuid !== undefined && uuid !== image.uuid) onMove(uuid);
        },
      }}
    />
  );
}

const slideOf = (image: ImageTileFragment): SlideImage => ({
  src: image.url ?? '',
  alt: altOf(image),
  ...(image.width && image.height ? { width: image.width, height: image.height } : {}),
});

/** Returns the image between its neighbours. While these are looked up, the former slides stay. */
function useSlides(
  image: ImageDetailsFragment,
  around: Neighbours | undefined,
): readonly ImageTileFragment[] {
  const former = useRef<readonly ImageTileFragment[]>([]);
  const { previous, next } = around ?? {};
  const ids = [previous, next].filter((id) => id !== undefined);
  const [{ data }] = useQuery({ query: ImagesBesideDocument, variables: { ids }, pause: ids.length === 0 });
  const beside = new Map(
    (data?.nodes ?? []).flatMap((node) => (node?.__typename === 'Image' ? [[node.uuid, node] as const] : [])),
  );
  const isComplete = around !== undefined && ids.every((id) => beside.has(id));
  const key = [previous, image.uuid, next].join(' ');
  const formerKey = useRef('');
  if (isComplete && formerKey.current !== key) {
    formerKey.current = key;
    const find = (id: string | undefined) =>
      id === undefined ? [] : [beside.get(id)].filter((each) => each !== undefined);
    former.current = [...find(previous), image, ...find(next)];
  } else if (!isComplete && !former.current.some(({ uuid }) => uuid === image.uuid)) former.current = [image];
  return former.current;
}
