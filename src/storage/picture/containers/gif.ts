import type { Pieces } from './pieces.ts';

const GIF = { EXTENSION: 0x21, FRAME: 0x2c, TRAILER: 0x3b } as const;

/** GIF: a header, then extensions and frames whose data is in sub-blocks, to the trailer. */
export async function walkGif(file: Pieces): Promise<void> {
  const header = await file.take(13, 'the header');
  const version = header.toString('latin1', 0, 6);
  if (version !== 'GIF87a' && version !== 'GIF89a') throw file.damaged('the signature is wrong');
  skipColourTable(file, header[10]);
  let frames = 0;
  for (;;) {
    const at = file.offset;
    if (at >= file.size) throw file.damaged(`the file ends at byte ${at}, before the trailer`);
    const [kind] = await file.take(1, 'a block');
    if (kind === GIF.TRAILER) break;
    if (kind === GIF.EXTENSION) {
      await file.take(1, `the extension at byte ${at}`);
    } else if (kind === GIF.FRAME) {
      skipColourTable(file, (await file.take(9, `the frame at byte ${at}`))[8]);
      await file.take(1, `the frame at byte ${at}`);
      file.countFrames(++frames);
    } else {
      throw file.damaged(`no block begins at byte ${at}`);
    }
    await skipSubBlocks(file);
  }
  if (frames === 0) throw file.damaged('it has no frame, so no pixels');
}

/** Where the first frame lies on the canvas, in pixels. */
export interface GifLayout {
  /** Size of the canvas: that of the header, or larger if the first frame reaches further. */
  readonly width: number;
  readonly height: number;
  readonly frame: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

/**
 * Reads a GIF up to the head of its first frame. Returns null if it has no frame.
 * @throws FixativeError DAMAGED_IMAGE if the file is cut before that
 */
export async function readGifLayout(file: Pieces): Promise<GifLayout | null> {
  const header = await file.take(13, 'the header');
  const screen = { width: header.readUInt16LE(6), height: header.readUInt16LE(8) };
  skipColourTable(file, header[10]);
  for (;;) {
    const [kind] = await file.take(1, 'a block');
    if (kind === GIF.EXTENSION) {
      await file.take(1, 'an extension');
      await skipSubBlocks(file);
    } else if (kind === GIF.FRAME) {
      const head = await file.take(8, 'a frame');
      const [left, top] = [head.readUInt16LE(0), head.readUInt16LE(2)];
      const frame = { left, top, width: head.readUInt16LE(4), height: head.readUInt16LE(6) };
      const width = Math.max(screen.width, left + frame.width);
      return { width, height: Math.max(screen.height, top + frame.height), frame };
    } else return null;
  }
}

function skipColourTable(file: Pieces, flags = 0): void {
  if (flags & 0x80) file.skip(3 * 2 ** ((flags & 0x07) + 1), 'a colour table');
}

async function skipSubBlocks(file: Pieces): Promise<void> {
  for (;;) {
    // A sub-block is 256 bytes at most, so all but one in a thousand are ahead, and are passed without
    // awaiting.
    const length = file.ahead[0] ?? ((await file.fill(1)) ? file.ahead[0] : undefined);
    if (length === undefined)
      throw file.damaged(`the file ends at byte ${file.size}, within the data of a block`);
    file.skip(1 + length, 'a sub-block');
    if (length === 0) return;
  }
}
