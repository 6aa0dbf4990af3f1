import { useLayoutEffect, useRef } from 'react';
import { Link } from 'wouter';
import { messageOf } from '../client/errors.ts';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { useTitle } from '../design/page.tsx';
import { titleOf } from '../design/title.ts';
import type { ImageDetailsFragment } from '../generated/graphql.ts';
import { page } from '../text/image.ts';
import { text } from '../text/shared.ts';
import { ImageView } from './image-view.tsx';
import { Skeleton } from './skeleton.tsx';
import { useImage } from './use-image.ts';
import { useNeighbours } from './use-neighbours.ts';

/** Page of one image. @param props.uuid `Image.uuid` */
export default function ImagePage({ uuid }: { readonly uuid: string }) {
  const { image, error, reload } = useImage(uuid);
  const around = useNeighbours(uuid, image);
  const shown = useFormer(image);
  useTitle(image ? titleOf(image) : image === null ? page.missing : text.loading);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each image begins at the top.
  useLayoutEffect(() => {
    // Chromium returns a promise here, which React would take for a function that ends the effect.
    scrollTo(0, 0);
  }, [uuid]);
  if (image === null) return <Missing />;
  if (error && !image) return <ErrorNotice message={messageOf(error)} onRetry={reload} isPage />;
  if (!shown) return <Skeleton />;
  return <ImageView image={shown} around={image ? around : undefined} onLoss={reload} />;
}

/** Returns the former image while the next one is loaded, so that the full-screen view stays open. */
function useFormer(image: ImageDetailsFragment | null | undefined) {
  const former = useRef(image);
  if (image !== undefined) former.current = image;
  return former.current;
}

const Missing = () => (
  <Notice icon="search" title={page.missing} alert isPage>
    <p>{page.missingHint}</p>
    <Link href="/">{text.toGallery}</Link>
  </Notice>
);
