import type { Image } from '../../image/image.ts';
import { withExtension } from '../../image/ingest/filename.ts';
import { extensionOf } from '../../storage/blob.ts';

/** Names that Windows gives to devices, whatever their extension. */
const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** Most characters of a name, without the number that makes it unique. File systems allow 255 bytes. */
const MAX_STEM_LENGTH = 60;

type Named = Pick<Image, 'uuid' | 'filename' | 'originalFilename'>;

/** Names of the files of an archive, unique also where upper and lower case are the same. */
export class ZipNames {
  readonly #taken: Set<string>;

  /** @param reserved names that no image gets. */
  constructor(reserved: readonly string[]) {
    this.#taken = new Set(reserved);
  }

  /** Returns an unused name: the original filename, else the filename, with the extension of the bytes. */
  take({ uuid, filename, originalFilename }: Named, mimeType: string): string {
    const extension = extensionOf(mimeType);
    const wish = withExtension(originalFilename ?? filename ?? uuid, extension);
    const stem = stemOf(wish.slice(0, -extension.length - 1)) || uuid;
    for (let n = 1; ; n++) {
      const name = `${stem}${n === 1 ? '' : ` (${n})`}.${extension}`;
      if (this.#taken.has(name.toLowerCase())) continue;
      this.#taken.add(name.toLowerCase());
      return name;
    }
  }
}

/** Returns a name that every file system accepts. */
function stemOf(wish: string): string {
  const safe = wish
    .toWellFormed()
    .replaceAll(/[\p{Cc}/\\:*?"<>|]+/gu, '_')
    .replace(/^[.\s]+/, '');
  const stem = [...safe]
    .slice(0, MAX_STEM_LENGTH)
    .join('')
    .replace(/[.\s]+$/, '');
  return DEVICES.test(stem) ? `_${stem}` : stem;
}
