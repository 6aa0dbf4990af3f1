import type { Exchange } from '../exchange.ts';
import { sendJson } from '../response/send.ts';
import type { Web } from './web.ts';

/** Addresses for programs. They do not depend on any data. */
const ADDRESSES = {
  graphql: '/graphql',
  image: '/images/{uuid}',
  images: '/api/images/generated',
  health: '/health',
  ready: '/ready',
  metrics: '/metrics',
  login: '/login',
} as const;

/** Answers `/`: the gallery for a browser, the addresses in JSON for a program. Both are public. */
export function serveHome(exchange: Exchange, web: Web): void {
  const { request, response } = exchange;
  const vary = { Vary: 'Accept, Accept-Encoding' };
  if (request.headers.accept?.includes('text/html')) web.servePage(exchange);
  else sendJson(response, 200, { name: 'Fixative', ...ADDRESSES }, vary);
}
