import { useEffect, useRef } from 'react';

/** Seconds after which a page that is shown again is read again. */
const STALE_SECONDS = 5;

/** Calls `refresh` when the page is shown again, after another tab or program was in front of it. */
export function useRefreshWhenShown(refresh: () => void): void {
  const latest = useRef(refresh);
  latest.current = refresh;
  useEffect(() => {
    let hiddenSince = Number.POSITIVE_INFINITY;
    const listen = () => {
      if (document.hidden) hiddenSince = Date.now();
      else if (Date.now() - hiddenSince >= STALE_SECONDS * 1000) latest.current();
    };
    document.addEventListener('visibilitychange', listen);
    return () => document.removeEventListener('visibilitychange', listen);
  }, []);
}
