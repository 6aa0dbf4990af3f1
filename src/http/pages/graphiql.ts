import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Coding } from '../response/accept.ts';
import { codingOf, sendCoded } from '../response/coded.ts';
import { GRAPHIQL_TABS } from './graphiql-tabs.ts';

const CODINGS = {
  br: (page: Buffer) =>
    promisify(brotliCompress)(page, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: (page: Buffer) => promisify(gzip)(page),
} as const satisfies Record<Coding, (page: Buffer) => Promise<Buffer>>;
/** Quality from 0 to 11. At 5, nine megabytes take a third of a second, once for each process. */
const BROTLI_QUALITY = 5;

/**
 * GraphiQL animates its tabs and leaves an old offset behind, which shows while a tab has the focus. A
 * pressed tab jumped aside, and the click was lost. Tabs can still be dragged.
 */
const KEEP_TABS_IN_PLACE = '.graphiql-tab{transform:none!important}';

/** Returns whether a browser asks for the page. */
export function wantsGraphiql({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && (headers.accept ?? '').includes('text/html');
}

/**
 * Serves GraphiQL, a page of nine megabytes, compressed for browsers that accept it. The page and its
 * compressed forms are made at the first request for them.
 */
export function makeGraphiql({ compressed }: { readonly compressed: boolean }) {
  let page: Promise<{ body: Buffer; etag: string }> | null = null;
  const forms = new Map<Coding, Promise<Buffer>>();

  async function render() {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
    const html = renderGraphiQL({
      title: 'Fixative',
      defaultTabs: [...GRAPHIQL_TABS],
      credentials: 'same-origin',
    });
    const body = Buffer.from(html.replace('</head>', () => `<style>${KEEP_TABS_IN_PLACE}</style></head>`));
    return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    page ??= render();
    const { body, etag } = await page;
    const coding = compressed ? codingOf(request) : null;
    const bodyOf = (chosen: Coding) => {
      const form = forms.get(chosen) ?? CODINGS[chosen](body);
      forms.set(chosen, form);
      return form;
    };
    await sendCoded(
      { request, response },
      {
        type: 'text/html; charset=utf-8',
        coding,
        headers: {
          ETag: coding === null ? etag : etag.replace(/"$/, `-${coding}"`),
          // A newer server has another page. Revalidation costs one small response.
          'Cache-Control': 'private, no-cache',
          Vary: 'Accept, Accept-Encoding, Authorization, Cookie, Origin',
          'X-Content-Type-Options': 'nosniff',
          'X-Frame-Options': 'DENY',
          'Referrer-Policy': 'no-referrer',
        },
        body: () => (coding === null ? body : bodyOf(coding)),
      },
    );
  };
}
