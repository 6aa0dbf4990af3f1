import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { type Fetcher, type FetcherOptions, openFetcher } from '../../src/fetch/fetch.ts';
import { openSpooler } from '../../src/storage/spool/spool.ts';

export interface Listener {
  readonly port: number;
  /** Number of connections made to it, and the headers of each request. */
  readonly seen: { connections: number; headers: Record<string, unknown>[] };
  close(): Promise<void>;
}

/** A server on one address of this machine. */
export async function listen(answer: RequestListener, host = '127.0.0.1'): Promise<Listener> {
  const seen: Listener['seen'] = { connections: 0, headers: [] };
  const server = createServer((request, response) => {
    seen.headers.push(request.headers);
    answer(request, response);
  });
  server.on('connection', () => {
    seen.connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Names of the test, each with what it answers, one time after the other; the last answer stays. */
export function makeLookup(names: Record<string, string[][]>): LookupFunction {
  const asked = new Map<string, number>();
  return (hostname, _options, callback) => {
    const answers = names[hostname];
    if (!answers) return callback(Object.assign(new Error(`no ${hostname}`), { code: 'ENOTFOUND' }), []);
    const turn = asked.get(hostname) ?? 0;
    asked.set(hostname, turn + 1);
    const addresses = answers[Math.min(turn, answers.length - 1)] ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

export interface TestFetcher extends Fetcher {
  /** Fetches, discards, and tells what came: the text, or the error. */
  tell(
    address: string,
    options?: { maxBytes?: number; signal?: AbortSignal },
  ): Promise<Record<string, unknown>>;
}

/** A fetcher with a spool of its own; closing it fails the test when anything is left in the spool. */
export async function openTestFetcher(
  options: Partial<Omit<FetcherOptions, 'spooler'>> = {},
): Promise<TestFetcher> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-fetch-'));
  const spooler = await openSpooler({ directory, maxBytes: 1000, space: { require: async () => {} } });
  const fetcher = openFetcher({ spooler, allowPrivate: [], timeoutSeconds: 5, ...options });
  return {
    ...fetcher,
    async tell(address, fetchOptions) {
      try {
        const { spool, ...facts } = await fetcher.fetch(address, fetchOptions);
        const chunks: Buffer[] = [];
        for await (const chunk of spool.open()) chunks.push(chunk as Buffer);
        await spool.discard();
        return { ...facts, text: Buffer.concat(chunks).toString() };
      } catch (error) {
        const { code, message, retryable, expiredAt, stack } = error as Record<string, unknown>;
        if (typeof code !== 'string') throw error;
        return { code, message, retryable, stack, ...(expiredAt === undefined ? {} : { expiredAt }) };
      }
    },
    async close() {
      await fetcher.close();
      expect(spooler.count, 'spools that nobody discarded').toBe(0);
      expect(await readdir(directory)).toEqual([]);
      await rm(directory, { recursive: true });
    },
  };
}
