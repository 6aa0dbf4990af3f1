/** The loader of `next/image`: the server makes the sizes, so Next.js makes none. */
interface Wanted {
  readonly src: string;
  readonly width: number;
  readonly quality?: number;
}

/**
 * Returns the address of a variant. Widths and qualities that the server does not list are rounded up. A
 * signed address is for one size, so it is returned as it is: sign other sizes with `url(transform: …)`.
 */
export default function loadFromFixative({ src, width, quality = 75 }: Wanted): string {
  const url = new URL(src);
  if (url.searchParams.has('signature')) return src;
  url.searchParams.set('w', String(width));
  url.searchParams.set('quality', String(quality));
  url.searchParams.set('format', 'auto');
  return url.href;
}
