import type { Pieces } from './pieces.ts';

const JPEG = {
  STUFFED: 0x00,
  TEM: 0x01,
  RST0: 0xd0,
  RST7: 0xd7,
  SOI: 0xd8,
  EOI: 0xd9,
  SOS: 0xda,
  MARKER: 0xff,
} as const;
/** Markers DHT, JPG and DAC: they begin no frame, but are in the range of those that do, SOF0 to SOF15. */
const JPEG_NO_FRAME = new Set([0xc4, 0xc8, 0xcc]);

/** JPEG: markers, most with a segment; after SOS, compressed data up to the next marker; EOI ends it. */
export async function walkJpeg(file: Pieces): Promise<void> {
  const start = await file.take(2, 'the start marker');
  if (start[0] !== JPEG.MARKER || start[1] !== JPEG.SOI) throw file.damaged('it does not begin with SOI');
  let hasFrame = false;
  let hasScan = false;
  for (;;) {
    const code = await takeMarker(file);
    const at = file.offset - 2;
    if (code === JPEG.EOI) break;
    if (code === JPEG.SOI)
      throw file.damaged(`another picture begins at byte ${at}, before this one has ended`);
    if (code === JPEG.TEM) continue;
    const name = `the segment 0xFF${code.toString(16).toUpperCase().padStart(2, '0')} at byte ${at}`;
    const length = (await file.take(2, name)).readUInt16BE(0);
    if (length < 2) throw file.damaged(`${name} has an impossible length`);
    file.skip(length - 2, name);
    if (code >= 0xc0 && code <= 0xcf && !JPEG_NO_FRAME.has(code)) hasFrame = true;
    if (code === JPEG.SOS) {
      if (!hasFrame) throw file.damaged(`a scan begins at byte ${at}, before any frame header`);
      hasScan = true;
    }
  }
  if (!hasScan) throw file.damaged('it ends without a scan, so without pixels');
}

/**
 * Passes over compressed data to the next marker, and over it too; returns its code. A marker is 0xFF and a
 * code; 0xFF 0x00 is a stuffed byte of data, RST0 to RST7 stand within data, and any number of 0xFF may fill
 * up before a marker (B.1.1). By the same way it passes over stray bytes between segments, as libjpeg does
 * and every viewer with it.
 *
 * Photographs are mostly this data, with one 0xFF in some 250 bytes: the hops are native searches.
 */
async function takeMarker(file: Pieces): Promise<number> {
  for (;;) {
    const { ahead } = file;
    let at = ahead.indexOf(JPEG.MARKER);
    while (at !== -1 && at + 1 < ahead.length) {
      const code = ahead[at + 1] as number;
      if (code === JPEG.STUFFED || (code >= JPEG.RST0 && code <= JPEG.RST7)) {
        at += 2;
        // Looking before hopping keeps data made of nothing but stuffed bytes from costing a search for each.
        if (ahead[at] !== JPEG.MARKER) at = ahead.indexOf(JPEG.MARKER, at);
      } else if (code === JPEG.MARKER) {
        at += 1;
      } else {
        file.seek(file.offset + at + 2);
        return code;
      }
    }
    // A 0xFF at the very end stays ahead, to be seen together with its code.
    file.seek(file.offset + (at === -1 ? ahead.length : at));
    if (!(await file.fill(2)))
      throw file.damaged(`the file ends at byte ${file.size}, before the end marker (EOI)`);
  }
}
