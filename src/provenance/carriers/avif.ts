import type { RandomReader } from '../../storage/files/local-file.ts';
import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import { type Embedded, takePart } from '../embedded.ts';

/**
 * UUID of the box with content credentials,
 * https://spec.c2pa.org/specifications/specifications/2.1/specs/C2PA_Specification.html#_embedding_manifests_into_bmff_based_assets
 */
const C2PA_UUID = 'd8fec3d61b0e483c92975828877ec481';

/**
 * Reads the items `Exif` and `mime` of an AVIF's meta box (ISO/IEC 14496-12, 8.11), and its uuid box of C2PA.
 */
export async function readAvif(file: Pieces, embedded: Embedded, reader: RandomReader): Promise<void> {
  let meta: Buffer | null = null;
  while (file.offset + 8 <= file.size) {
    const at = file.offset;
    const head = await file.take(8, 'a box');
    const type = head.toString('latin1', 4, 8);
    let size = head.readUInt32BE(0);
    if (size === 0) size = file.size - at;
    if (size === 1) size = Number((await file.take(8, 'a box')).readBigUInt64BE(0));
    const length = at + size - file.offset;
    if (length < 0 || at + size > file.size) break;
    if (type === 'uuid' && length >= 16) {
      if ((await file.take(16, 'a box')).toString('hex') === C2PA_UUID) embedded.hasContentCredentials = true;
    } else if (type === 'meta' && meta === null) meta = await takePart(file, embedded, length);
    file.seek(at + size);
  }
  if (meta !== null) await readItems(meta.subarray(4), embedded, reader);
}

async function readItems(meta: Buffer, embedded: Embedded, reader: RandomReader): Promise<void> {
  const boxes = splitBoxes(meta);
  const [iinf, iloc, idat] = [boxes.get('iinf'), boxes.get('iloc'), boxes.get('idat')];
  if (!iinf || !iloc) return;
  const kinds = readItemKinds(iinf);
  for (const { id, fromIdat, extents } of readLocations(iloc, kinds)) {
    const bytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (!embedded.admits(bytes)) continue;
    const data = Buffer.concat(
      await Promise.all(
        extents.map(async ({ offset, length }) => {
          if (fromIdat) return idat?.subarray(offset, offset + length) ?? Buffer.alloc(0);
          const buffer = Buffer.alloc(length);
          const { bytesRead } = await reader.read(buffer, 0, length, offset);
          return buffer.subarray(0, bytesRead);
        }),
      ),
    );
    if (kinds.get(id) === 'XMP') embedded.xmp ??= decodeText(data);
    // The first four bytes are the offset of the TIFF structure (ISO/IEC 23008-12, A.2.1).
    else if (data.length > 4) embedded.exif ??= data.subarray(4 + data.readUInt32BE(0));
  }
}

/** Returns the boxes within a box by type. Only the first of each type counts. */
function splitBoxes(bytes: Buffer): Map<string, Buffer> {
  const boxes = new Map<string, Buffer>();
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at) || bytes.length - at;
    if (size < 8) break;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (!boxes.has(type)) boxes.set(type, bytes.subarray(at + 8, at + size));
    at += size;
  }
  return boxes;
}

type ItemKind = 'Exif' | 'XMP';

function readItemKinds(iinf: Buffer): Map<number, ItemKind> {
  const kinds = new Map<number, ItemKind>();
  const first = iinf[0] === 0 ? 6 : 8;
  for (let at = first; at + 8 <= iinf.length; ) {
    const size = iinf.readUInt32BE(at);
    if (size < 8) break;
    const entry = iinf.subarray(at + 8, at + size);
    at += size;
    // Only versions 2 and 3 have a type. AVIF does not use older ones.
    const wide = entry[0] === 3;
    if (entry[0] !== 2 && !wide) continue;
    const id = wide ? entry.readUInt32BE(4) : entry.readUInt16BE(4);
    const type = entry.toString('latin1', wide ? 10 : 8, wide ? 14 : 12);
    if (type === 'Exif') kinds.set(id, 'Exif');
    if (type === 'mime' && entry.includes('application/rdf+xml')) kinds.set(id, 'XMP');
  }
  return kinds;
}

interface Location {
  readonly id: number;
  readonly fromIdat: boolean;
  readonly extents: { offset: number; length: number }[];
}

/** Most extents of one item. Real files have far fewer for so little data. */
const MAX_EXTENTS = 64;

/** Yields the locations of the items in `kinds`. Throws when a read leaves the box. */
function* readLocations(iloc: Buffer, kinds: ReadonlyMap<number, ItemKind>): Generator<Location> {
  const version = iloc.readUInt8(0);
  const widths = [iloc.readUInt8(4) >> 4, iloc.readUInt8(4) & 15, iloc.readUInt8(5) >> 4];
  const [offsetBytes = 0, lengthBytes = 0, baseBytes = 0] = widths;
  const indexBytes = version === 0 ? 0 : iloc.readUInt8(5) & 15;
  let at = 6;
  const take = (bytes: number): number => {
    const from = at;
    at += bytes;
    if (bytes === 0) return 0;
    if (bytes === 8) return Number(iloc.readBigUInt64BE(from));
    return iloc.readUIntBE(from, bytes);
  };
  for (let left = take(version < 2 ? 2 : 4); left > 0; left -= 1) {
    const id = take(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : take(2) & 15;
    take(2); // data_reference_index: data in another file, which is not supported
    const base = take(baseBytes);
    const count = take(2);
    // Entries may have a width of 0. A large count alone would then make this loop run for hours.
    if (count > MAX_EXTENTS) return;
    const extents: Location['extents'] = [];
    for (let extent = 0; extent < count; extent += 1) {
      take(indexBytes);
      const offset = base + take(offsetBytes);
      extents.push({ offset, length: take(lengthBytes) });
    }
    if (kinds.has(id) && method < 2) yield { id, fromIdat: method === 1, extents };
  }
}
