import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makePicture, NOT_PICTURES, type PictureFormat } from '../pictures.ts';
import { pngWith, textChunk } from '../provenance/files.ts';

const FORMATS: readonly PictureFormat[] = ['png', 'jpeg', 'webp', 'gif', 'avif'];
export const FOLDER_TIME = new Date('2021-02-03T04:05:06.789Z');

export interface MixedFolder {
  readonly files: number;
  /** Files that are pictures, without those that are copies of others. */
  readonly pictures: number;
  readonly copies: number;
  readonly refused: number;
}

/**
 * A folder as people have them: pictures of each kind in folders, with and without prompts, copies, cut ones,
 * and what is no picture.
 */
export async function makeMixedFolder(root: string, count: number): Promise<MixedFolder> {
  const tally = { files: 0, pictures: 0, copies: 0, refused: 0 };
  const made: Buffer[] = [];
  const write = async (name: string, bytes: Buffer) => {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, bytes);
    await utimes(file, FOLDER_TIME, FOLDER_TIME);
  };
  for (let i = 0; i < count; i += 1) {
    const folder = ['', 'holiday', 'holiday/sea', 'zażółć 山'][i % 4] as string;
    const format = FORMATS[i % FORMATS.length] as PictureFormat;
    const kind = i % 10;
    tally.files += 1;
    if (kind === 6) {
      await write(path.join(folder, `copy ${i}.png`), made[i % made.length] as Buffer);
      tally.copies += 1;
    } else if (kind === 7) {
      const whole = await makePicture({ format, seed: i, width: 24, height: 18 });
      await write(path.join(folder, `cut ${i}.${format}`), whole.subarray(0, whole.length - 20));
      tally.refused += 1;
    } else if (kind === 8) {
      const { bytes } = NOT_PICTURES[(i >> 3) % NOT_PICTURES.length] as (typeof NOT_PICTURES)[number];
      await write(path.join(folder, `no picture ${i}.png`), bytes);
      tally.refused += 1;
    } else {
      const prompt = textChunk('parameters', `picture ${i}\nSteps: 20, Seed: ${i}, Model: m`);
      const picture =
        kind === 0 ? await pngWith(prompt) : await makePicture({ format, seed: i, width: 24, height: 18 });
      made.push(picture);
      await write(path.join(folder, `${i} – picture.${format}`), picture);
      tally.pictures += 1;
    }
  }
  return tally;
}
