import { useEffect, useRef } from 'react';
import { addressOf } from '../../client/address.ts';
import { IMAGE_TYPE } from '../../state/image-drag.ts';

/** Type of a dragged link, such as a tile of the gallery in another window. */
const LINK_TYPE = 'text/uri-list';
const TYPES: readonly string[] = ['Files', IMAGE_TYPE, LINK_TYPE];

/** Returns the uuid of the image of this server that a link leads to; null: it leads elsewhere. */
function uuidOf(link: string): string | null {
  const path = link.startsWith(addressOf('')) ? link.slice(addressOf('').length) : '';
  return /^images?\/([0-9a-f-]{36})(?![0-9a-f-])/.exec(path)?.[1] ?? null;
}

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
      dataTransfer?.types.some((type) => TYPES.includes(type)) ?? false;
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
      // A copied text may come with a picture of itself.
      if (event.type === 'paste' && data?.types.includes('text/plain')) return;
      const uuid = data?.getData(IMAGE_TYPE) || uuidOf(data?.getData(LINK_TYPE) ?? '');
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
