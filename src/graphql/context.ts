import type { Caller } from '../auth/caller.ts';
import type { ImageAddress } from '../auth/image-address.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Reads } from '../database/replica.ts';
import type { ForgetsImages } from '../image/bytes.ts';
import type { GenerateDeps } from '../image/generation/generate.ts';
import type { Visibility } from '../image/image.ts';
import type { MaintenanceQueue } from '../image/maintenance/run.ts';
import type { UploadTargetDeps } from '../image/upload/upload-target.ts';
import type { Poster } from '../webhook/post.ts';
import type { Loaders } from './loaders.ts';

/** Services that resolvers call; one object serves all requests. */
export interface Services extends UploadTargetDeps, Omit<GenerateDeps, keyof UploadTargetDeps> {
  readonly tokens: Tokens;
  /** Returns the database for lists, counts and statistics: a replica that has caught up, or the primary. */
  readonly reads: Reads['reads'];
  readonly maintenanceQueue: MaintenanceQueue;
  /** Sends events to the endpoints of webhooks. */
  readonly poster: Poster;
  /** Address under which clients reach the server, without a trailing slash. */
  readonly publicUrl: () => string;
  readonly imageAddress: ImageAddress;
  /** Cache of rows for delivery; evicts images that a mutation changes. */
  readonly imageBytes: ForgetsImages;
  /** Sides in pixels that a variant may have without a signature. */
  readonly variantSizes: readonly number[];
  readonly signedUrlMaxSeconds: number;
  /** Most images that `totalCount` counts; above it the count is an estimate. */
  readonly totalCountLimit: number;
  /** Returns the address of a copy outside this server, such as at a CDN; null if it has none. */
  readonly copyUrl: (store: string, key: string) => string | null;
  /** Largest share of the images in scope that a retention policy without its own may take. */
  readonly retentionMaxShare: number;
  readonly facts: ServerFacts;
}

/** Facts of the server that every client may know. */
export interface ServerFacts {
  readonly version: string;
  /** Setting PUBLIC_URL; null: not set. */
  readonly publicUrl: string | null;
  readonly maxUploadBytes: number;
  readonly trashDays: number;
  readonly defaultVisibility: Visibility;
  readonly maxSignedUrlSeconds: number;
  /** Widths of variants without a signature, in ascending order. */
  readonly variantWidths: readonly number[];
  readonly graphiql: boolean;
}

/** Context of one request. */
export interface GraphqlContext {
  readonly services: Services;
  readonly caller: Caller;
  /** Authenticates the caller again: the token may expire during a subscription. */
  readonly isStillAuthorized: () => Promise<boolean>;
  readonly loaders: Loaders;
  /**
   * Images that lists within images may still return, at any depth. Nested lists multiply by up to 100 per
   * level.
   */
  relatedLeft: number;
  /** Position of a subscription's client in the events. */
  readonly events: EventState;
}

export interface EventState {
  /** Last-Event-ID that the client sent when it reconnected; null: none. */
  readonly lastId: string | null;
  /** Id of the current event; null: none. */
  id: string | null;
  /** Time since when the client may have missed changes; sent with the next event. null: it missed none. */
  missedSince: Date | null;
  /** Returns the id of the present, if no event is waiting; else null. */
  position(): string | null;
}

export const makeEventState = (lastId: string | null): EventState => ({
  lastId,
  id: null,
  missedSince: null,
  position: () => null,
});
