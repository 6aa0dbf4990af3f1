import { useEffect, useState } from 'react';

/** Returns a decoded picture, or that it is loading or could not be read. */
export function usePicture(url: string): HTMLImageElement | 'loading' | 'failed' {
  const [picture, setPicture] = useState<HTMLImageElement | 'loading' | 'failed'>('loading');
  useEffect(() => {
    let isCurrent = true;
    const image = new Image();
    image.src = url;
    image.decode().then(
      () => isCurrent && setPicture(image),
      () => isCurrent && setPicture('failed'),
    );
    return () => {
      isCurrent = false;
    };
  }, [url]);
  return picture;
}
