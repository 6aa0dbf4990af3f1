import { Suspense, useEffect, useState } from 'react';
import { IconButton } from '../../design/button.tsx';
import { loadLater } from '../../design/load-later.tsx';
import { Picture } from '../../design/picture.tsx';
import { altOf } from '../../design/title.ts';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { type KeyBinding, useKeys } from '../../state/keys.ts';
import type { Neighbours } from '../../state/neighbours.ts';
import { keys, page, stage } from '../../text/image.ts';
import { useShowImage, useWayBack } from '../way-back.ts';
import { Absent, absenceOf, Unloaded } from './absent.tsx';
import styles from './stage.module.css';

const Viewer = loadLater(() => import('./viewer.tsx'));

interface StageProps {
  readonly image: ImageDetailsFragment;
  readonly around: Neighbours | undefined;
  /** Called when the picture is finally not there. */
  readonly onLoss: () => void;
}

/** The picture, large, with the ways to its neighbours and to the full-screen view. */
export function Stage({ image, around, onLoss }: StageProps) {
  const [isZoomed, setZoomed] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const show = useShowImage();
  const isAbsent = absenceOf(image) !== null || failed === attemptOf(image);
  const zoom = isAbsent ? undefined : () => setZoomed(true);
  useStageKeys({ around, isZoomed, zoom });
  return (
    <section className={styles.stage} aria-label={page.picture}>
      {zoom ? (
        <ZoomButton
          image={image}
          onZoom={zoom}
          onFailure={() => {
            setFailed(attemptOf(image));
            onLoss();
          }}
        />
      ) : absenceOf(image) === null ? (
        <Unloaded onRetry={() => setFailed(null)} />
      ) : (
        <Absent image={image} />
      )}
      <Ways around={around} />
      {isZoomed ? (
        <Suspense fallback={null}>
          <Viewer image={image} around={around} onMove={show} onClose={() => setZoomed(false)} />
        </Suspense>
      ) : null}
    </section>
  );
}

/** Returns the key of a failure to load. A check of the copies changes it, so the picture is tried again. */
const attemptOf = ({ uuid, copies }: ImageDetailsFragment) =>
  [uuid, ...copies.map(({ state, verifiedAt }) => `${state} ${verifiedAt}`)].join(', ');

interface StageKeys {
  readonly around: Neighbours | undefined;
  readonly isZoomed: boolean;
  readonly zoom: (() => void) | undefined;
}

function useStageKeys({ around, isZoomed, zoom }: StageKeys): void {
  const show = useShowImage();
  const goBack = useWayBack();
  const { previous, next } = around ?? {};
  const bindings: (KeyBinding | false)[] = [
    previous !== undefined && { key: 'ArrowLeft', label: keys.previous, run: () => show(previous) },
    next !== undefined && { key: 'ArrowRight', label: keys.next, run: () => show(next) },
    zoom !== undefined && { key: 'z', label: keys.zoom, run: zoom },
    { key: 'Escape', label: keys.back, run: goBack },
  ];
  useKeys(isZoomed ? [] : bindings.filter((binding) => binding !== false));
  useEnter(isZoomed ? undefined : zoom);
}

/** Buttons that lead to the gallery and to the neighbours. */
function Ways({ around }: Pick<StageProps, 'around'>) {
  const show = useShowImage();
  const goBack = useWayBack();
  const { previous, next } = around ?? {};
  const classes = (place: string | undefined) => [styles.round, place].join(' ');
  return (
    <>
      <IconButton className={classes(styles.back)} icon="close" label={page.back} onClick={goBack} />
      {previous === undefined ? null : (
        <IconButton
          className={classes(styles.previous)}
          icon="left"
          label={page.previous}
          onClick={() => show(previous)}
        />
      )}
      {next === undefined ? null : (
        <IconButton
          className={classes(styles.next)}
          icon="right"
          label={page.next}
          onClick={() => show(next)}
        />
      )}
    </>
  );
}

/** Most times that a small picture is enlarged on the page. */
const MAX_ENLARGEMENT = 2;

interface ZoomButtonProps {
  readonly image: ImageDetailsFragment;
  readonly onZoom: () => void;
  readonly onFailure: () => void;
}

function ZoomButton({ image, onZoom, onFailure }: ZoomButtonProps) {
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
        onFailure={onFailure}
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
