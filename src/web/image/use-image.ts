import { useEffect, useRef, useState } from 'react';
import { type CombinedError, useQuery, useSubscription } from 'urql';
import { onReconnect } from '../client/events.ts';
import { ImageChangedDocument, type ImageDetailsFragment, ImagePageDocument } from '../generated/graphql.ts';

export interface ImageState {
  /** The image; null: there is none; undefined: it is being loaded, or `error` says why it is not here. */
  readonly image: ImageDetailsFragment | null | undefined;
  readonly error: CombinedError | undefined;
  readonly reload: () => void;
}

/** Reads an image, and follows its changes while the page is visible. */
export function useImage(uuid: string): ImageState {
  const [result, read] = useQuery({
    query: ImagePageDocument,
    variables: { id: uuid },
    requestPolicy: 'cache-and-network',
  });
  const found = result.data?.image;
  // The hook returns the former image until the next one is there.
  const image = found && found.uuid !== uuid ? undefined : found;
  const latest = useRef(read);
  latest.current = read;
  const reload = () => latest.current({ requestPolicy: 'network-only' });
  useChanges(uuid, Boolean(image), reload);
  const isUnknown = result.error?.graphQLErrors.some(({ extensions }) => extensions.code === 'INVALID_ID');
  return {
    image: isUnknown ? null : result.fetching && image === null ? undefined : image,
    error: isUnknown ? undefined : result.error,
    reload,
  };
}

/** Seconds after which an ended subscription of an image that still exists is started again. */
const RESUBSCRIBE_SECONDS = 5;

/**
 * Subscribes to the changes of an image. A hidden page ends its subscription, because browsers open only six
 * connections to a server over HTTP/1.1. The server ends it when the image is purged, or when it stops.
 */
function useChanges(uuid: string, exists: boolean, reload: () => void): void {
  const isVisible = useVisibility();
  const latest = useRef(reload);
  latest.current = reload;
  const pause = !exists || !isVisible;
  const [{ fetching, data, error }, subscribe] = useSubscription({
    query: ImageChangedDocument,
    variables: { id: uuid },
    pause,
  });
  const isOver = !pause && !fetching && !error && data?.imageUpdated.uuid === uuid;
  const again = useRef(subscribe);
  again.current = subscribe;
  useEffect(() => {
    if (!isOver) return;
    latest.current();
    const timer = setTimeout(() => again.current(), RESUBSCRIBE_SECONDS * 1000);
    return () => clearTimeout(timer);
  }, [isOver]);
  // Damage of a copy is no change of the image, so it is read again when the person comes back.
  const wasHidden = useRef(false);
  useEffect(() => {
    if (isVisible && wasHidden.current) latest.current();
    wasHidden.current = !isVisible;
  }, [isVisible]);
  useEffect(() => onReconnect(() => latest.current()), []);
}

function useVisibility(): boolean {
  const [isVisible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const update = () => setVisible(!document.hidden);
    document.addEventListener('visibilitychange', update);
    return () => document.removeEventListener('visibilitychange', update);
  }, []);
  return isVisible;
}
