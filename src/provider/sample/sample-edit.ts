/**
 * Edits of the sample provider. Its pictures show which inputs were used:
 * - Without a mask, the first reference shines through the scene, inside a border of the scene's colour.
 * - With a mask, the scene is painted where the mask is transparent. Elsewhere the first reference keeps its
 *   pixels.
 * - The other references are small pictures along the lower edge.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { ProviderError } from '../../errors.ts';
import { measurePicture, openPicture } from '../../storage/picture/decoder.ts';
import { sniff } from '../../storage/picture/sniff.ts';
import type { Attachment } from '../provider.ts';

/** Most pixels of one reference or mask. */
const MAX_PIXELS = 50_000_000;
/** Opacity of the scene over the reference. */
const SCENE_OPACITY = 0.38;

/** Size of the picture, in pixels. */
interface Frame {
  readonly width: number;
  readonly height: number;
}

export interface Edit {
  /** The scene of the prompt, as a PNG of the frame's size. */
  readonly scene: Buffer;
  /** Colour of the border, `#rrggbb`. */
  readonly colour: string;
  readonly references: readonly Attachment[];
  readonly mask: Attachment | null;
  /** Whether transparent pixels of the first reference stay transparent. */
  readonly transparent: boolean;
}

/**
 * Paints the edited picture.
 * @returns a PNG
 * @throws ProviderError INVALID_INPUT when a reference or the mask is not a picture or cannot be decoded,
 *   when the mask has no alpha channel, or when its size differs from that of the first reference
 */
export async function paintEdit({ width, height }: Frame, edit: Edit): Promise<Buffer> {
  const [first, ...others] = edit.references;
  if (!first) throw new TypeError('An edit needs a reference.');
  const reference = await coverFrame(first, 'The first reference', { width, height });
  const insets = await drawInsets({ width, height }, others);
  if (edit.mask === null) {
    const scene = await fade(edit.scene, SCENE_OPACITY);
    if (edit.transparent) return compose(reference, [{ input: scene, blend: 'atop' }, ...insets]);
    const border = drawBorder({ width, height }, edit.colour);
    return compose(edit.scene, [{ input: reference }, { input: scene }, { input: border }, ...insets]);
  }
  const kept = await applyMask(reference, await fitMask(edit.mask, first, { width, height }));
  return compose(edit.scene, [...insets, { input: kept }]);
}

/** Opens an attachment. Its type and its number of pixels are checked before any decoder reads it. */
async function openAttachment(attachment: Attachment, name: string) {
  if (sniff(attachment.bytes).mimeType === null)
    throw unusableAttachment(`${name} is not a picture of a supported type.`);
  try {
    const { width, height, hasAlpha } = await measurePicture(attachment.bytes);
    const picture = await openPicture(attachment.bytes, { maxPixels: MAX_PIXELS });
    return { picture: picture.toColourspace('srgb').ensureAlpha(), extent: { width, height }, hasAlpha };
  } catch (cause) {
    throw unusableAttachment(`${name} cannot be read as a picture.`, cause);
  }
}

async function coverFrame(attachment: Attachment, name: string, { width, height }: Frame): Promise<Buffer> {
  const { picture } = await openAttachment(attachment, name);
  return picture
    .resize(width, height, { fit: 'cover' })
    .png()
    .toBuffer()
    .catch((cause: unknown) => {
      throw unusableAttachment(`${name} cannot be decoded, or has more than ${MAX_PIXELS} pixels.`, cause);
    });
}

/** Returns the mask's alpha at the size of the frame, one byte for each pixel. */
async function fitMask(mask: Attachment, reference: Attachment, { width, height }: Frame): Promise<Buffer> {
  const { picture, extent, hasAlpha } = await openAttachment(mask, 'The mask');
  const { extent: under } = await openAttachment(reference, 'The first reference');
  if (!hasAlpha)
    throw unusableAttachment(
      'The mask has no alpha channel. Make it transparent where the picture is to be painted anew.',
    );
  if (extent.width !== under.width || extent.height !== under.height) {
    throw unusableAttachment(
      `The mask is ${extent.width} × ${extent.height} pixels, and the first reference ${under.width} × ${under.height}. They must have the same size.`,
    );
  }
  return picture
    .extractChannel('alpha')
    .resize(width, height, { fit: 'cover' })
    .raw()
    .toBuffer()
    .catch((cause: unknown) => {
      throw unusableAttachment(`The mask cannot be decoded, or has more than ${MAX_PIXELS} pixels.`, cause);
    });
}

/** Returns the reference as a PNG that is transparent where the mask is. */
async function applyMask(reference: Buffer, alpha: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(reference).raw().toBuffer({ resolveWithObject: true });
  for (let pixel = 0; pixel < alpha.length; pixel++) {
    const at = pixel * 4 + 3;
    data[at] = Math.round(((data[at] ?? 0) * (alpha[pixel] ?? 0)) / 255);
  }
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .png()
    .toBuffer();
}

/** @param opacity from 0 to 1 */
async function fade(picture: Buffer, opacity: number): Promise<Buffer> {
  const dim = {
    create: { width: 1, height: 1, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: opacity } },
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

/**
 * Draws the small pictures along the lower edge, from the left; none when the frame is too small for them.
 */
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
    const picture = await coverFrame(attachment, `Reference ${i + 2}`, { width: side - 2, height: side - 2 });
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

function unusableAttachment(message: string, cause?: unknown): ProviderError {
  const options = cause === undefined ? {} : { cause };
  return new ProviderError('INVALID_INPUT', message, { provider: 'sample' }, options);
}
