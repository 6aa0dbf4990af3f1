/**
 * How the sample provider edits. Without a mask the first reference shines through the scene that the prompt asks for, within a frame of
 * the scene's colour; with a mask the scene is painted where the mask is transparent, and everywhere else the reference keeps its
 * pixels. The other references lie along the lower edge as small pictures. So one sees at a glance what went into the picture.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { ProviderError } from '../../errors.ts';
import { measurePicture, openPicture } from '../../storage/picture/decoder.ts';
import { sniff } from '../../storage/picture/sniff.ts';
import type { Attachment } from '../provider.ts';

const MAX_PIXELS = 50_000_000;
/** How much of the scene lies over the reference. */
const SCENE_PART = 0.38;

interface Frame {
  readonly width: number;
  readonly height: number;
}

export interface Edit {
  /** The scene that the prompt asks for, as a PNG of the frame's size. */
  readonly scene: Buffer;
  /** Of the border: `#rrggbb`. */
  readonly colour: string;
  readonly references: readonly Attachment[];
  readonly mask: Attachment | null;
  /** What is transparent in the first reference stays so. */
  readonly transparent: boolean;
}

/**
 * @returns the edited picture as a PNG.
 * @throws ProviderError INVALID_INPUT for a reference that is no picture or cannot be decoded, and for a mask without transparency or of
 *   another size than its reference.
 */
export async function paintEdit({ width, height }: Frame, edit: Edit): Promise<Buffer> {
  const [first, ...others] = edit.references;
  if (!first) throw new TypeError('An edit needs a reference.');
  const reference = await cover(first, 'The first reference', { width, height });
  const insets = await drawInsets({ width, height }, others);
  if (edit.mask === null) {
    const scene = await fade(edit.scene, SCENE_PART);
    if (edit.transparent) return compose(reference, [{ input: scene, blend: 'atop' }, ...insets]);
    const border = drawBorder({ width, height }, edit.colour);
    return compose(edit.scene, [{ input: reference }, { input: scene }, { input: border }, ...insets]);
  }
  const kept = await keep(reference, await fitMask(edit.mask, first, { width, height }));
  return compose(edit.scene, [...insets, { input: kept }]);
}

/** Only what is known to be a picture reaches a decoder, and nothing larger than it should. */
async function decode(attachment: Attachment, name: string) {
  if (sniff(attachment.bytes).mimeType === null) throw refused(`${name} is no picture of a known type.`);
  try {
    const { width, height, hasAlpha } = await measurePicture(attachment.bytes);
    const picture = await openPicture(attachment.bytes, { maxPixels: MAX_PIXELS });
    return { picture: picture.toColourspace('srgb').ensureAlpha(), extent: { width, height }, hasAlpha };
  } catch (cause) {
    throw refused(`${name} cannot be read.`, cause);
  }
}

async function cover(attachment: Attachment, name: string, { width, height }: Frame): Promise<Buffer> {
  const { picture } = await decode(attachment, name);
  return picture
    .resize(width, height, { fit: 'cover' })
    .png()
    .toBuffer()
    .catch((cause: unknown) => {
      throw refused(`${name} cannot be decoded, or has more than ${MAX_PIXELS} pixels.`, cause);
    });
}

/** The mask's alpha, one byte a pixel. */
async function fitMask(mask: Attachment, reference: Attachment, { width, height }: Frame): Promise<Buffer> {
  const { picture, extent, hasAlpha } = await decode(mask, 'The mask');
  const { extent: under } = await decode(reference, 'The first reference');
  if (!hasAlpha) throw refused('The mask has no alpha channel, so there is nothing in it to paint anew.');
  if (extent.width !== under.width || extent.height !== under.height) {
    throw refused(
      `The mask is ${extent.width} × ${extent.height} pixels and the first reference ${under.width} × ${under.height}; they must be the same.`,
    );
  }
  return picture
    .extractChannel('alpha')
    .resize(width, height, { fit: 'cover' })
    .raw()
    .toBuffer()
    .catch((cause: unknown) => {
      throw refused(`The mask cannot be decoded, or has more than ${MAX_PIXELS} pixels.`, cause);
    });
}

/** The reference where the mask is opaque, and nothing elsewhere. */
async function keep(reference: Buffer, alpha: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(reference).raw().toBuffer({ resolveWithObject: true });
  for (let pixel = 0; pixel < alpha.length; pixel++) {
    const at = pixel * 4 + 3;
    data[at] = Math.round(((data[at] ?? 0) * (alpha[pixel] ?? 0)) / 255);
  }
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .png()
    .toBuffer();
}

async function fade(picture: Buffer, part: number): Promise<Buffer> {
  const dim = {
    create: { width: 1, height: 1, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: part } },
  };
  return sharp(picture)
    .ensureAlpha()
    .composite([{ input: dim, tile: true, blend: 'dest-in' }])
    .png()
    .toBuffer();
}

function drawBorder({ width, height }: Frame, colour: string): Buffer {
  const thick = Math.max(1, Math.round(Math.min(width, height) * 0.025));
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect x="${thick / 2}" y="${thick / 2}" width="${width - thick}" height="${height - thick}" fill="none" stroke="${colour}" stroke-width="${thick}"/></svg>`,
  );
}

/** Along the lower edge, from the left. */
async function drawInsets(
  { width, height }: Frame,
  others: readonly Attachment[],
): Promise<OverlayOptions[]> {
  const gap = Math.max(2, Math.round(Math.min(width, height) * 0.04));
  const side = Math.floor(
    Math.min(Math.min(width, height) * 0.2, (width - gap) / Math.max(1, others.length) - gap),
  );
  if (side < 4) return [];
  const insets: OverlayOptions[] = [];
  for (const [i, attachment] of others.entries()) {
    const picture = await cover(attachment, `Reference ${i + 2}`, { width: side - 2, height: side - 2 });
    const input = await sharp(picture)
      .extend({ top: 1, bottom: 1, left: 1, right: 1, background: '#fff' })
      .png()
      .toBuffer();
    insets.push({ input, left: gap + i * (side + gap), top: height - gap - side });
  }
  return insets;
}

function compose(under: Buffer, pieces: OverlayOptions[]): Promise<Buffer> {
  return sharp(under).composite(pieces).png().toBuffer();
}

function refused(message: string, cause?: unknown): ProviderError {
  const options = cause === undefined ? {} : { cause };
  return new ProviderError('INVALID_INPUT', message, { provider: 'sample' }, options);
}
