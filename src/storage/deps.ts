import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import type { MemoryCache } from './cache/memory-cache.ts';
import type { DiskHealth } from './disk-health.ts';
import type { Outages } from './outages.ts';
import type { ReadPicture } from './picture/picture.ts';
import type { BlobReference } from './references.ts';
import type { SpaceGuard } from './spool/space.ts';
import type { Spooler } from './spool/spool.ts';
import type { Store } from './stores/store.ts';

/**
 * Components of the storage service. Each operation (put.ts, remove.ts, read/, repair/) takes those that it
 * needs.
 */
export interface StorageDeps {
  readonly database: Database;
  /** In read order. */
  readonly stores: readonly Store[];
  /** Names of the stores that must hold a blob before its upload is acknowledged. */
  readonly required: ReadonlySet<string>;
  readonly spooler: Spooler;
  readonly space: SpaceGuard;
  readonly diskHealth: DiskHealth;
  /** Columns of other tables that refer to blobs. */
  readonly references: readonly BlobReference[];
  /** Directory that orphans are moved to. Files older than `quarantineDays` are deleted from it. */
  readonly quarantineDirectory: string;
  readonly quarantineDays: number;
  /** Called after the commit that removed a reference to the blob. */
  readonly onForget: (blobId: number) => void;
  /** Called before the bytes of a blob are deleted, to delete what was derived from them. */
  readonly onRemove: (sha256: string) => Promise<void>;
  readonly readPicture: ReadPicture;
  readonly memoryCache: MemoryCache;
  /** Seconds between finding a bad copy and repairing it. */
  readonly healDelaySeconds: number;
  readonly outages: Outages;
  readonly log: Logger;
}

/** Starts a repair round after `seconds`, unless one starts sooner. */
export interface RepairerAlarm {
  wakeRepairer(seconds: number): void;
}
