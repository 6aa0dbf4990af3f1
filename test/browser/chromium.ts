import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';

/** Path of Chromium; undefined: tests in a browser are skipped. */
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (file) => existsSync(file),
);

/**
 * Name of this machine that the browser does not treat as secure over http, like other machines of a local
 * network.
 */
export const PLAIN_HOST = 'fixative.test';

export interface TestBrowser {
  readonly browser: BrowserContext;
  close(): Promise<void>;
}

/** Starts a browser with a temporary profile, which is deleted when it closes. */
export async function openBrowser(): Promise<TestBrowser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'fixative-browser-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM ?? '',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`,
    ],
    viewport: { width: 1400, height: 900 },
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
