import { formatBytes } from '../design/format.ts';
import { upload as text } from '../text/upload.ts';
import { HEAD_BYTES, typeOf } from './file-type.ts';

/** Most levels of folders that are read. */
const MAX_DEPTH = 20;

/** Returns the files of a drop or a paste, those in folders too. Call it in the handler of the event. */
export async function filesOf({ items, files }: DataTransfer): Promise<File[]> {
  // The entries must be read before the event ends.
  const entries = [...items].flatMap((item) =>
    item.kind === 'file' ? [item.webkitGetAsEntry?.() ?? null] : [],
  );
  const plain = [...files];
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const found: File[] = [];
  for (const entry of entries) if (entry) await readEntry(entry, found, 0);
  return found;
}

async function readEntry(entry: FileSystemEntry, found: File[], depth: number): Promise<void> {
  // Files of the system, such as `.DS_Store`, are no images.
  if (entry.name.startsWith('.') || depth > MAX_DEPTH) return;
  if (entry.isFile) {
    found.push(
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    );
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader returns the entries in pages, the last of which is empty.
    const page = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (page.length === 0) return;
    for (const each of page) await readEntry(each, found, depth + 1);
  }
}

/** Returns why a file would be refused, by its size and its first bytes; null: it may be sent. */
export async function refusalOf(file: File, maxBytes: number): Promise<string | null> {
  if (file.size === 0) return text.empty;
  if (file.size > maxBytes) return text.tooLarge(formatBytes(maxBytes));
  try {
    const type = typeOf(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
    if (type?.isSupported) return null;
    return type ? text.unsupported(type.name) : text.unknownType;
  } catch {
    return text.unreadable;
  }
}
