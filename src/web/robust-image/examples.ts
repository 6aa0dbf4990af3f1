/** The page of examples. It shows the newest image of the visitor, or a picture of its own. */
import logo from '../logo.svg';
import type { RobustImageElement, RobustImageLogEntry } from './declarations/robust-image.d.ts';

interface Shown {
  readonly id: string;
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly thumbhash: string | null;
  readonly store: string | null;
}

const NEWEST = `{ images(first: 1, filter: { status: SUCCESS }) {
  nodes { id url width height thumbhash store: storageProvider } } }`;
const SIGNED = 'query ($id: ID!) { image(id: $id) { url(expiresInSeconds: 60) } }';

/** Address of an image that no server has. */
const MISSING = 'images/00000000-0000-7000-8000-000000000000';
/** Milliseconds that the example of a pending image takes. */
const PENDING = 4000;
/** Milliseconds in which the server must answer. */
const ANSWER = 10_000;

/**
 * Asks the server by the session of the visitor. Returns null without a session, and when the server does not
 * answer: the page then shows its own picture.
 */
async function ask<Data>(query: string, variables: object = {}): Promise<Data | null> {
  try {
    const response = await fetch('graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(ANSWER),
    });
    if (!response.ok) return null;
    return ((await response.json()) as { data: Data | null }).data;
  } catch {
    return null;
  }
}

const example = (name: string) => {
  const found = document.querySelector<RobustImageElement>(`[data-example=${name}]`);
  if (!found) throw new Error(`There is no example ${name}`);
  return found;
};

function writeTo(selector: string, { event, attempt, status, delay }: RobustImageLogEntry): void {
  const line = document.createElement('li');
  const status_ = status === undefined ? '' : `, status ${status ?? 'unknown'}`;
  line.textContent = `${event} ${attempt}${status_}${delay === undefined ? '' : `, in ${delay} ms`}`;
  document.querySelector(selector)?.append(line);
}

function describe(element: RobustImageElement, { width, height, thumbhash }: Shown, side = 256): void {
  const scale = Math.min(1, side / Math.max(width, height));
  element.setAttribute('width', String(Math.round(width * scale)));
  element.setAttribute('height', String(Math.round(height * scale)));
  if (thumbhash) element.setAttribute('thumbhash', thumbhash);
}

function showPending(image: Shown): void {
  const element = example('pending');
  element.src = '';
  setTimeout(() => {
    element.src = image.url;
  }, PENDING);
}

async function showSigned(image: Shown, isOwn: boolean): Promise<void> {
  const element = example('signed');
  const renew = async () =>
    (await ask<{ image: { url: string } | null }>(SIGNED, { id: image.id }))?.image?.url ?? '';
  element.log = (entry) => writeTo('[data-renewals]', entry);
  if (!isOwn) {
    element.src = image.url;
    return;
  }
  element.renew = renew;
  element.src = await renew();
}

const newest = await ask<{ images: { nodes: Shown[] } }>(NEWEST);
const own = newest?.images.nodes[0];
const image = own ?? {
  id: '',
  url: logo,
  width: 256,
  height: 256,
  thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI',
  store: 'filesystem',
};
document.querySelector('[data-note]')?.toggleAttribute('hidden', own !== undefined);

for (const name of ['plain', 'pending', 'signed', 'marked']) describe(example(name), image);
describe(example('plain'), image, 704);
example('plain').src = image.url;
const marked = example('marked');
marked.src = image.url;
marked.setAttribute('store', image.store ?? '');
example('retried').log = (entry) => writeTo('[data-log]', entry);
example('retried').src = 'health';
for (const name of ['kept', 'collapsed']) example(name).src = MISSING;
document.querySelector('[data-again]')?.addEventListener('click', () => showPending(image));
showPending(image);
await showSigned(image, own !== undefined);
