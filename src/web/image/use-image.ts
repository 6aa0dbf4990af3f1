import { useEffect, useRef } from 'react';
import { type CombinedError, useQuery, useSubscription } from 'urql';
import { onEnd, onReconnect } from '../client/events.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { ImageChangedDocument, type ImageDetailsFragment, ImagePageDocument } from '../generated/graphql.ts';

export interface ImageState {
  /** The image; null: there is none; undefined: it is being loaded, or `error` says why it is not here. */
  readonly image: ImageDetailsFragment | null | undefined;
  readonly error: CombinedError | undefined;
  readonly reload: () => void;
}

/** Reads an image, and follows its changes. */
export function useImage(uuid: string): ImageState {
  const [result, read] = useQuery({
    query: ImagePageDocument,
    variables: { id: uuid },
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

/** Subscribes to the changes of an image, the first of which is its present state. */
function useChanges(uuid: string, exists: boolean, reload: () => void): void {
  const latest = useRef({ reload, exists });
  latest.current = { reload, exists };
  const [{ error }, subscribe] = useSubscription({
    query: ImageChangedDocument,
    variables: { id: uuid },
    pause: !exists,
  });
  const isRefused = Boolean(error);
  useEffect(() => {
    if (isRefused) latest.current.reload();
  }, [isRefused]);
  useEnd(uuid, () => {
    latest.current.reload();
    return setTimeout(() => latest.current.exists && subscribe(), RESUBSCRIBE_SECONDS * 1000);
  });
  // Damage of a copy is no change of the image, so it is read again when the person comes back.
  useRefreshWhenShown(reload);
  useEffect(() => onReconnect(() => latest.current.reload()), []);
}

/** Calls `handle` when the server ends the subscription: the image was purged, or the server stops. */
function useEnd(uuid: string, handle: () => ReturnType<typeof setTimeout>): void {
  const latest = useRef(handle);
  latest.current = handle;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ended = onEnd(({ id }) => {
      if (id === uuid) timer = latest.current();
    });
    return () => {
      ended();
      clearTimeout(timer);
    };
  }, [uuid]);
}
