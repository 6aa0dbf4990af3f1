import { useLocation } from 'wouter';
import { neighbours } from '../state/neighbours.ts';

/** State of a history entry of an image. */
interface EntryState {
  /** Number of entries since the page that the person came from; 0: the page was opened directly. */
  readonly depth: number;
}

/** Returns how many entries to go back to the page that the person came from. */
function depthOf(): number {
  const state = history.state as Partial<EntryState> | null;
  if (typeof state?.depth === 'number') return state.depth;
  return neighbours.list.get().uuids.length > 0 ? 1 : 0;
}

/** Returns the state of a new entry for another image, opened from the present one. */
export function nextEntry(): EntryState {
  const depth = depthOf();
  return { depth: depth === 0 ? 0 : depth + 1 };
}

/** Returns a function that goes back to the gallery, where the person left it. */
export function useWayBack(): () => void {
  const [, navigate] = useLocation();
  return () => {
    const depth = depthOf();
    if (depth > 0) history.go(-depth);
    else navigate('/');
  };
}

/** Returns a function that shows another image in place of this one: Back still leads to the gallery. */
export function useShowImage(): (uuid: string) => void {
  const [, navigate] = useLocation();
  return (uuid) => navigate(`/image/${uuid}`, { replace: true, state: { depth: depthOf() } });
}
