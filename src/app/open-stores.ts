import type { Config, GithubConfig, S3Config, StoreKind } from '../config.ts';
import type { Database } from '../database/database.ts';
import { sharedValue } from '../database/shared-value.ts';
import type { PresignedAnswer } from '../http/bytes/delivery.ts';
import type { Observers } from '../observers.ts';
import type { DiskHealth } from '../storage/disk-health.ts';
import type { Outages } from '../storage/outages.ts';
import { withCircuit } from '../storage/stores/circuit.ts';
import { makeDatabaseStore } from '../storage/stores/database/database-store.ts';
import { openFilesystemStore } from '../storage/stores/filesystem/filesystem.ts';
import { makeMemoryStore } from '../storage/stores/memory.ts';
import { observed } from '../storage/stores/observed.ts';
import type { Store } from '../storage/stores/store.ts';

export interface OpenedStores {
  readonly stores: Store[];
  /** By name of store: URL of a copy that needs no credentials; null: there is none. */
  readonly copyUrls: ReadonlyMap<string, (key: string) => string | null>;
  /** By name of store: URL of a copy that expires. */
  readonly presigners: ReadonlyMap<string, (key: string, answer: PresignedAnswer) => Promise<string>>;
  /** Closes the stores in reverse order. */
  readonly closeStores: () => Promise<void>;
}

interface StoreDeps {
  readonly database: Database;
  readonly outages: Outages;
  readonly diskHealth: DiskHealth;
  readonly observers: Observers;
}

interface OpenedStore {
  readonly store: Store;
  readonly close?: () => Promise<void>;
  readonly copyUrl?: (key: string) => string | null;
  readonly presign?: (key: string, answer: PresignedAnswer) => Promise<string>;
}

const OPENERS: Readonly<Record<StoreKind, (config: Config, deps: StoreDeps) => Promise<OpenedStore>>> = {
  filesystem: openFilesystem,
  database: async (_, { database }) => ({ store: makeDatabaseStore({ name: 'database', database }) }),
  s3: openS3,
  github: openGithub,
  memory: async () => ({ store: makeMemoryStore() }),
};

/** Opens the stores that STORES names, in that order. */
export async function openStores(config: Config, deps: StoreDeps): Promise<OpenedStores> {
  const { observers } = deps;
  const opened: OpenedStore[] = [];
  for (const kind of config.stores) opened.push(await OPENERS[kind](config, deps));
  return {
    stores: opened.map(({ store }) => observed(store, observers)),
    copyUrls: new Map(opened.flatMap(({ store, copyUrl }) => (copyUrl ? [[store.name, copyUrl]] : []))),
    presigners: new Map(opened.flatMap(({ store, presign }) => (presign ? [[store.name, presign]] : []))),
    closeStores: async () => {
      for (const { close } of opened.toReversed()) await close?.();
    },
  };
}

async function openFilesystem(config: Config, { database, diskHealth }: StoreDeps): Promise<OpenedStore> {
  // Copies on record were put into a directory with a marker. A directory without one is another directory
  // then.
  const known = await database.query(
    `SELECT 1 FROM copies WHERE store = 'filesystem' AND state <> 'PENDING' LIMIT 1`,
  );
  const store = await openFilesystemStore({
    name: 'filesystem',
    directory: config.imageDirectory,
    mayClaim: known.length === 0,
    identity: sharedValue(database, 'directory of filesystem'),
    maxOpenFiles: config.maxOpenFiles,
    onDiskFault: (error) => diskHealth.note('filesystem', error),
  });
  return { store, close: () => store.close() };
}

// The clients of remote stores are loaded only when they are configured: the S3 client takes a quarter of a
// second.

async function openS3(config: Config, { outages }: StoreDeps): Promise<OpenedStore> {
  const { openS3Store } = await import('../storage/stores/s3/s3.ts');
  const { publicUrl, ...settings } = config.s3 as S3Config;
  const store = await openS3Store({ name: 's3', ...settings });
  const base = [publicUrl, withoutSlash(settings.prefix)].filter(Boolean).join('/');
  return {
    store: withCircuit(store, reportedTo(outages, store.name)),
    close: () => store.close(),
    presign: store.presignGet,
    ...(publicUrl ? { copyUrl: (key: string) => `${base}/${key}` } : {}),
  };
}

/** Without repairs in this process, the circuit alone sees that a store is back. */
const reportedTo = (outages: Outages, store: string) => ({
  onOpen: (error: Error) => outages.failed(store, error),
  onClose: () => outages.answered(store),
});

async function openGithub(config: Config, { outages }: StoreDeps): Promise<OpenedStore> {
  const { openGithubStore } = await import('../storage/stores/github/github.ts');
  const store = await openGithubStore({ name: 'github', ...(config.github as GithubConfig) });
  return {
    store: withCircuit(store, reportedTo(outages, store.name)),
    close: () => store.close(),
    copyUrl: store.rawUrl,
  };
}

/** Opens the prefix of the bucket that clients upload to directly; null when `s3` is not a store. */
export async function openS3Arrivals(config: Config) {
  if (!config.stores.includes('s3')) return null;
  const { openS3Store } = await import('../storage/stores/s3/s3.ts');
  const { ARRIVALS_PREFIX, makeS3Arrivals } = await import('../storage/arrivals/s3.ts');
  const { publicUrl: _, ...settings } = config.s3 as S3Config;
  const prefix = `${withoutSlash(settings.prefix)}/${ARRIVALS_PREFIX}`;
  const store = await openS3Store({ name: 's3', ...settings, prefix });
  return { arrivals: makeS3Arrivals(store), close: () => store.close() };
}

const withoutSlash = (text: string) => text.replace(/\/+$/, '');
