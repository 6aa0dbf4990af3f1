import type { Pieces } from './pieces.ts';

/** WebP: one RIFF chunk of the form WEBP, and in it chunks; the frames of an animation hold chunks again. */
export async function walkWebp(file: Pieces): Promise<void> {
  const header = await file.take(12, 'the RIFF header');
  if (header.toString('latin1', 0, 4) !== 'RIFF' || header.toString('latin1', 8, 12) !== 'WEBP') {
    throw file.damaged('the RIFF header is wrong');
  }
  const end = 8 + header.readUInt32LE(4);
  if (end > file.size) throw file.damaged(`RIFF claims ${end} bytes, and the file ends at byte ${file.size}`);
  if ((await walkRiff(file, end, false)) === 0)
    throw file.damaged('it has no VP8 or VP8L chunk, so no pixels');
}

/** Walks the chunks up to `end`, and counts the pictures among them. */
async function walkRiff(file: Pieces, end: number, inFrame: boolean): Promise<number> {
  let pictures = 0;
  while (file.offset < end) {
    const at = file.offset;
    if (end - at < 8)
      throw file.damaged(`no chunk begins at byte ${at}, and ${end - at} bytes are left over`);
    const head = await file.take(8, 'the head of a chunk');
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    const chunkEnd = file.offset + length;
    if (chunkEnd > end) {
      throw file.damaged(
        `the chunk at byte ${at} claims ${length} bytes, and what holds it ends at byte ${end}`,
      );
    }
    if (type === 'VP8 ' || type === 'VP8L') file.countFrames(++pictures);
    if (type === 'ANMF' && !inFrame) {
      file.skip(16, 'the head of a frame');
      if ((await walkRiff(file, chunkEnd, true)) === 0)
        throw file.damaged(`the frame at byte ${at} has no pixels`);
      file.countFrames(++pictures);
    }
    // A chunk of odd length is followed by a byte of padding, which some writers leave out where nothing
    // comes after.
    file.seek(chunkEnd + (length % 2));
  }
  return pictures;
}
