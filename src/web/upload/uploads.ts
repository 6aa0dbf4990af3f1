import { randomId } from '../state/random-id.ts';
import { nameOfAddress } from './addresses.ts';
import { refusalOf } from './collect.ts';
import type { UploadOptions } from './options.ts';
import { isOpen } from './queue.ts';
import { makeRunner } from './runner.ts';
import { send } from './send.ts';

/** The uploads of this tab. They go on while other pages are shown. */
export const uploads = makeRunner(send);

/** Files that are read and added together. */
const CHUNK = 40;

let requestId: string | null = null;

/** Returns the ID that the images of the present list share. */
export function batchId(): string {
  requestId ??= randomId('upload');
  return requestId;
}

/** Empties the list. The next one is a new batch. */
export function clearUploads(): void {
  uploads.dispatch({ type: 'clear' });
  if (uploads.queue.get().items.length === 0) requestId = null;
}

/** Checks files and adds them to the uploads, some at a time, so that the page stays quick. */
export async function addFiles(
  files: readonly File[],
  options: UploadOptions,
  maxBytes: number,
): Promise<void> {
  const batch = batchId();
  for (let start = 0; start < files.length; start += CHUNK) {
    const checked = files.slice(start, start + CHUNK).map(async (file) => ({
      content: file,
      name: file.name,
      bytes: file.size,
      options,
      requestId: batch,
      refusal: await refusalOf(file, maxBytes),
    }));
    uploads.add(await Promise.all(checked));
  }
}

export function addAddresses(urls: readonly string[], options: UploadOptions): void {
  const batch = batchId();
  uploads.add(
    urls.map((url) => ({
      content: url,
      name: nameOfAddress(url),
      bytes: null,
      options,
      requestId: batch,
      refusal: null,
    })),
  );
}

const warn = (event: BeforeUnloadEvent) => event.preventDefault();

// The browser asks before it closes the tab while something is open.
uploads.queue.subscribe(() => {
  const isBusy = uploads.queue.get().items.some(isOpen);
  if (isBusy) addEventListener('beforeunload', warn);
  else removeEventListener('beforeunload', warn);
});
