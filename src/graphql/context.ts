import type { Caller } from '../auth/caller.ts';
import type { ImageAddress } from '../auth/image-address.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { ForgetsImages } from '../image/bytes.ts';
import type { GenerateDeps } from '../image/generation/generate.ts';
import type { UploadTargetDeps } from '../image/upload/upload-target.ts';
import type { Loaders } from './loaders.ts';

/** What resolvers call. The same for every request. */
export interface Services extends UploadTargetDeps, Omit<GenerateDeps, keyof UploadTargetDeps> {
  readonly tokens: Tokens;
  /** The address under which others reach the server, without a slash at its end. */
  readonly publicUrl: () => string;
  readonly imageAddress: ImageAddress;
  /** Forgets what it remembers of images that are changed. */
  readonly imageBytes: ForgetsImages;
  /** In pixels: the sides that a variant may have without a signature. */
  readonly variantSizes: readonly number[];
  readonly signedUrlMaxSeconds: number;
  /** So many images of a list are counted; what is more is estimated. */
  readonly totalCountLimit: number;
  /** Where a copy can be fetched without this server, such as at a CDN; null where it cannot. */
  readonly copyUrl: (store: string, key: string) => string | null;
}

/** One for each request. */
export interface GraphqlContext {
  readonly services: Services;
  readonly caller: Caller;
  /** Whether the caller would be let in now, too: a subscription lasts, and its token may not. */
  readonly isLetIn: () => Promise<boolean>;
  readonly loaders: Loaders;
  /** How many more images the lists within images may answer, nested or not: each level would multiply by a hundred. */
  relatedLeft: number;
  /** Of a subscription: where its client was, and is. */
  readonly events: EventState;
}

export interface EventState {
  /** The id of the last event that the client has had of an earlier connection (Last-Event-ID); null: it does not say. */
  readonly lastId: string | null;
  /** The id of the event that is being answered; null: it has none. */
  id: string | null;
  /** Since when the client may have missed changes, said with the next event; null: it has missed none. */
  missedSince: Date | null;
  /** The id of now, where nothing waits to be told; null: there is none. */
  position(): string | null;
}

export const makeEventState = (lastId: string | null): EventState => ({
  lastId,
  id: null,
  missedSince: null,
  position: () => null,
});
