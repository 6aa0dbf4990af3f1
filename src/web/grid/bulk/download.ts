import { addressOf } from '../../client/address.ts';
import { copyAndSay } from '../../design/copy-button.tsx';
import { showToast } from '../../design/toast.tsx';
import { bulk as text } from '../../text/gallery.ts';
import type { Tile } from '../list/list.ts';

/** Most images of one zip. */
const MAX_IMAGES = 1000;

/** Downloads images as one zip, by a form: the browser then streams it to disk. */
export function download(tiles: readonly Tile[]): void {
  if (tiles.length > MAX_IMAGES) {
    showToast(text.tooMany(MAX_IMAGES), { tone: 'bad' });
    return;
  }
  const form = document.createElement('form');
  form.method = 'post';
  form.action = addressOf('api/images/zip');
  const ids = document.createElement('input');
  ids.type = 'hidden';
  ids.name = 'ids';
  ids.value = tiles.map(({ uuid }) => uuid).join(',');
  form.append(ids);
  document.body.append(form);
  form.submit();
  form.remove();
}

/** Copies the addresses of images, one a line. */
export async function copyAddresses(tiles: readonly Tile[]): Promise<void> {
  const urls = tiles.flatMap(({ url }) => (url ? [new URL(url, document.baseURI).href] : []));
  if (urls.length === 0) return showToast(text.noAddresses, { tone: 'bad' });
  await copyAndSay(urls.join('\n'), text.copiedAddresses(urls.length));
}
