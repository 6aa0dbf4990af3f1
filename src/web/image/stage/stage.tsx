import { lazy, Suspense, useEffect, useState } from 'react';
import { IconButton } from '../../design/button.tsx';
import { Picture } from '../../design/picture.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { type KeyBinding, useKeys } from '../../state/keys.ts';
import type { Neighbours } from '../../state/neighbours.ts';
import { keys, page, stage } from '../../text/image.ts';
import { altOf } from '../title.ts';
import { useShowImage, useWayBack } from '../way-back.ts';
import { Absent, absenceOf } from './absent.tsx';
import styles from './stage.module.css';

const Viewer = lazy(() => import('./viewer.tsx'));

interface StageProps {
  readonly image: ImageDetailsFragment;
  readonly around: Neighbours | undefined;
}

/** The picture, large, with the ways to its neighbours and to the full-screen view. */
export function Stage({ image, around }: StageProps) {
  const [isZoomed, setZoomed] = useState(false);
  const show = useShowImage();
  const goBack = useWayBack();
  const { previous, next } = around ?? {};
  const isAbsent = absenceOf(image) !== null;
  const bindings: (KeyBinding | false)[] = [
    previous !== undefined && { key: 'ArrowLeft', label: keys.previous, run: () => show(previous) },
    next !== undefined && { key: 'ArrowRight', label: keys.next, run: () => show(next) },
    !isAbsent && { key: 'z', label: keys.zoom, run: () => setZoomed(true) },
    { key: 'Escape', label: keys.back, run: goBack },
  ];
  useKeys(isZoomed ? [] : bindings.filter((binding) => binding !== false));
  useEnter(isAbsent || isZoomed ? undefined : () => setZoomed(true));
  return (
    <section className={styles.stage} aria-label={page.picture}>
      {isAbsent ? <Absent image={image} /> : <ZoomButton image={image} onZoom={() => setZoomed(true)} />}
      <IconButton
        className={[styles.round, styles.back].join(' ')}
        icon="close"
        label={page.back}
        onClick={goBack}
      />
      {previous === undefined ? null : (
        <IconButton
          className={[styles.round, styles.previous].join(' ')}
          icon="left"
          label={page.previous}
          onClick={() => show(previous)}
        />
      )}
      {next === undefined ? null : (
        <IconButton
          className={[styles.round, styles.next].join(' ')}
          icon="right"
          label={page.next}
          onClick={() => show(next)}
        />
      )}
      {isZoomed ? (
        <Suspense fallback={null}>
          <Viewer image={image} around={around} onMove={show} onClose={() => setZoomed(false)} />
        </Suspense>
      ) : null}
    </section>
  );
}

/** Most times that a small picture is enlarged on the page. */
const MAX_ENLARGEMENT = 2;

function ZoomButton({
  image,
  onZoom,
}: {
  readonly image: ImageDetailsFragment;
  readonly onZoom: () => void;
}) {
  const width = image.width ?? 1;
  const height = image.height ?? 1;
  return (
    <button
      type="button"
      className={styles.zoom}
      aria-label={stage.zoom(altOf(image))}
      onClick={onZoom}
      style={{
        aspectRatio: `${width} / ${height}`,
        // As wide as the stage, unless the picture would then be higher than the stage.
        width: `min(100%, ${width * MAX_ENLARGEMENT}px, var(--stage-height) * ${width / height})`,
      }}
    >
      <Picture
        key={image.uuid}
        className={styles.picture as string}
        image={image}
        sizes="(max-width: 62rem) 100vw, calc(100vw - 30rem)"
        alt=""
        eager
      />
    </button>
  );
}

/** Runs `run` on Enter while nothing on the page has the focus. */
function useEnter(run: (() => void) | undefined): void {
  useEffect(() => {
    if (!run) return;
    const listen = (event: KeyboardEvent) => {
      const isFree = event.target === document.body || (event.target as Element).id === 'content';
      if (event.key === 'Enter' && isFree && !event.defaultPrevented) run();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  });
}
