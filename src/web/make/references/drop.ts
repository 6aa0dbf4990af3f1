import { useEffect, useRef } from 'react';

/** Type of the data that a tile of the gallery is dragged with: the uuid of the image. */
export const IMAGE_TYPE = 'application/x-fixative-image';

interface Dropped {
  readonly onFiles: (files: readonly File[]) => void;
  readonly onImage: (uuid: string) => void;
  readonly onOver: (isOver: boolean) => void;
}

/** Takes pictures that are dropped on the page or pasted: files, and images of the gallery. */
export function useDrop(handlers: Dropped): void {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    const events = new AbortController();
    const { signal } = events;
    const fits = ({ dataTransfer }: DragEvent) =>
      dataTransfer?.types.some((type) => type === 'Files' || type === IMAGE_TYPE) ?? false;
    const over = (event: DragEvent) => {
      if (!fits(event)) return;
      event.preventDefault();
      latest.current.onOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) latest.current.onOver(false);
    };
    const take = (event: Event, data: DataTransfer | null) => {
      latest.current.onOver(false);
      const uuid = data?.getData(IMAGE_TYPE);
      const files = [...(data?.files ?? [])];
      if (!uuid && files.length === 0) return;
      event.preventDefault();
      if (uuid) latest.current.onImage(uuid);
      else latest.current.onFiles(files);
    };
    document.addEventListener('dragover', over, { signal });
    document.addEventListener('dragleave', leave, { signal });
    document.addEventListener('drop', (event) => take(event, event.dataTransfer), { signal });
    document.addEventListener('paste', (event) => take(event, event.clipboardData), { signal });
    return () => events.abort();
  }, []);
}
