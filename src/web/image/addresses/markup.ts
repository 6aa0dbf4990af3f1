interface Shown {
  readonly url: string;
  readonly alt: string;
  readonly width?: number | null | undefined;
  readonly height?: number | null | undefined;
}

/** Returns Markdown that shows an image. */
export const toMarkdown = ({ url, alt }: Shown): string =>
  `![${oneLine(alt).replace(/[\\[\]`*_<&]/g, '\\$&')}](${escapeDestination(url)})`;

const escapeDestination = (url: string) =>
  url.replace(/[\s()<>\\]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/** Returns HTML that shows an image, and reserves its space while it is loaded. */
export function toHtml({ url, alt, width, height }: Shown): string {
  const size = width && height ? ` width="${width}" height="${height}"` : '';
  return `<img src="${escapeAttribute(url)}"${size} alt="${escapeAttribute(oneLine(alt))}">`;
}

const SIGNS: Readonly<Record<string, string>> = { '&': '&amp;', '"': '&quot;', '<': '&lt;', '>': '&gt;' };

const escapeAttribute = (value: string) => value.replace(/[&"<>]/g, (sign) => SIGNS[sign] ?? sign);

const oneLine = (value: string) => value.trim().replace(/\s+/g, ' ');

/** Returns the size of a variant that is `width` pixels wide. It is never larger than the original. */
export function sizeOfVariant(original: { width: number; height: number }, width: number | null) {
  if (width === null || width >= original.width) return original;
  return { width, height: Math.max(1, Math.round((original.height * width) / original.width)) };
}
