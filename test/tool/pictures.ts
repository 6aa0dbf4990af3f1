import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll } from 'vitest';

/**
 * Opens a temporary folder for the tests of one file.
 * @returns a function that stores bytes in it and returns the path
 */
export function openFolder() {
  let folder = '';
  let count = 0;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'fixative-tool-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return async (bytes: Uint8Array): Promise<string> => {
    const file = path.join(folder, `picture-${count++}`);
    await writeFile(file, bytes);
    return file;
  };
}

export function draw(width: number, height: number, shapes: string): Sharp {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes}</svg>`;
  return sharp(Buffer.from(svg));
}

/** Draws a face at `x`, `y` on a plain background. */
export function drawFace(width: number, height: number, at: { x: number; y: number; size: number }) {
  const face = [
    '<ellipse rx="70" ry="90" fill="#e2ac86"/>',
    '<circle cx="-26" cy="-10" r="9"/><circle cx="26" cy="-10" r="9"/>',
    '<path d="M-28 40Q0 60 28 40" stroke="#822" stroke-width="6" fill="none"/>',
  ].join('');
  return draw(
    width,
    height,
    `<rect width="${width}" height="${height}" fill="#7d97ad"/><g transform="translate(${at.x} ${at.y}) scale(${at.size / 180})">${face}</g>`,
  );
}

export async function pixelAt(bytes: Uint8Array, x: number, y: number): Promise<readonly number[]> {
  return [
    ...(await sharp(bytes).ensureAlpha().extract({ left: x, top: y, width: 1, height: 1 }).raw().toBuffer()),
  ];
}
