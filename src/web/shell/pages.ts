import type { IconName } from '../design/icon.tsx';
import { shell } from '../text/shared.ts';

interface PageLink {
  readonly path: string;
  readonly icon: IconName;
  readonly label: string;
  /** Scope without which the page shows nothing. */
  readonly scope: 'IMAGES_READ' | 'IMAGES_WRITE' | 'IMAGES_GENERATE' | 'STORES_READ' | 'ADMIN';
}

/** The pages of the navigation. */
export const PAGES: readonly PageLink[] = [
  { path: '/', icon: 'gallery', label: shell.gallery, scope: 'IMAGES_READ' },
  { path: '/make', icon: 'make', label: shell.make, scope: 'IMAGES_GENERATE' },
  { path: '/upload', icon: 'upload', label: shell.upload, scope: 'IMAGES_WRITE' },
  { path: '/overview', icon: 'overview', label: shell.overview, scope: 'IMAGES_READ' },
  { path: '/stores', icon: 'stores', label: shell.stores, scope: 'STORES_READ' },
  { path: '/tokens', icon: 'tokens', label: shell.tokens, scope: 'ADMIN' },
  { path: '/audit', icon: 'audit', label: shell.audit, scope: 'ADMIN' },
  { path: '/retention', icon: 'calendar', label: shell.retention, scope: 'ADMIN' },
  { path: '/webhooks', icon: 'webhooks', label: shell.webhooks, scope: 'ADMIN' },
  { path: '/trash', icon: 'trash', label: shell.trash, scope: 'IMAGES_READ' },
];
