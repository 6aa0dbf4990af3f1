import { useEffect } from 'react';
import { useClient } from 'urql';
import { onReconnect } from '../../client/events.ts';
import { MadeChangesDocument, MadeImagesDocument, RunningImagesDocument } from '../../generated/graphql.ts';
import { useSignal } from '../../state/signal.ts';
import { addMade, isOpen, made, updateMade } from './made.ts';

/** Milliseconds between two looks at what is in the works, besides the subscription. */
const POLL = 15_000;

/** Lists what is in the works already, and follows what is listed. */
export function useFollow(): void {
  const client = useClient();
  useEffect(() => {
    void client
      .query(RunningImagesDocument, {}, { requestPolicy: 'network-only' })
      .toPromise()
      .then(({ data }) => addMade(data?.images.nodes ?? []));
  }, [client]);
  const hasOpen = useSignal(made).some(isOpen);
  useEffect(() => {
    if (!hasOpen) return undefined;
    const look = async () => {
      const ids = made
        .get()
        .filter(isOpen)
        .slice(0, 100)
        .map(({ uuid }) => uuid);
      const { data } = await client
        .query(MadeImagesDocument, { ids }, { requestPolicy: 'network-only' })
        .toPromise();
      updateMade(data?.nodes.filter((node) => node?.__typename === 'Image') ?? []);
    };
    const { unsubscribe } = client.subscription(MadeChangesDocument, {}).subscribe(({ data }) => {
      if (data) updateMade([data.imagesUpdated]);
    });
    // A quick image may be ready before the subscription begins.
    const first = setTimeout(look, 1500);
    const timer = setInterval(look, POLL);
    const stop = onReconnect(look);
    return () => {
      unsubscribe();
      clearTimeout(first);
      clearInterval(timer);
      stop();
    };
  }, [client, hasOpen]);
}
