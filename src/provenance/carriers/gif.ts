import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import type { Embedded } from '../embedded.ts';

const GIF = { EXTENSION: 0x21, COMMENT: 0xfe, APPLICATION: 0xff, FRAME: 0x2c } as const;

/**
 * Reads the comment extensions of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt, section 24), and
 * the application extension of C2PA.
 */
export async function readGif(file: Pieces, embedded: Embedded): Promise<void> {
  const header = await file.take(13, 'the header');
  skipColourTable(file, header[10]);
  for (;;) {
    const [kind] = await file.take(1, 'a block');
    if (kind === GIF.EXTENSION) {
      const [label] = await file.take(1, 'an extension');
      if (label === GIF.COMMENT) embedded.addText('Comment', decodeText(await takeBlocks(file, embedded)));
      else if (label === GIF.APPLICATION) {
        const [length = 0] = await file.take(1, 'an extension');
        const name = (await file.take(length, 'an extension')).toString('latin1');
        if (name.startsWith('C2PA_GIF')) embedded.hasContentCredentials = true;
        if (length > 0) await skipBlocks(file);
      } else await skipBlocks(file);
    } else if (kind === GIF.FRAME) {
      skipColourTable(file, (await file.take(9, 'a frame'))[8]);
      await file.take(1, 'a frame');
      await skipBlocks(file);
    } else return;
  }
}

function skipColourTable(file: Pieces, flags = 0): void {
  if (flags & 0x80) file.skip(3 * 2 ** ((flags & 0x07) + 1), 'a colour table');
}

async function takeBlocks(file: Pieces, embedded: Embedded): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for (;;) {
    const [length = 0] = await file.take(1, 'a sub-block');
    if (length === 0) return Buffer.concat(blocks);
    const block = await file.take(length, 'a sub-block');
    if (embedded.admits(length)) blocks.push(Buffer.from(block));
  }
}

async function skipBlocks(file: Pieces): Promise<void> {
  for (;;) {
    // The byte is usually in the buffer already. Reading it there avoids an await for every block.
    const length = file.ahead[0] ?? ((await file.fill(1)) ? file.ahead[0] : undefined);
    if (length === undefined) throw file.damaged('the data of a block is cut');
    file.skip(1 + length, 'a sub-block');
    if (length === 0) return;
  }
}
