import type DataLoader from 'dataloader';
import type { Caller } from '../auth/caller.ts';
import type { ImageAddress } from '../auth/image-address.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { ForgetsImages } from '../image/bytes.ts';
import type { EditsKey } from '../image/family.ts';
import type { GenerateDeps } from '../image/generate.ts';
import type { Generation } from '../image/generation/work.ts';
import type { Image } from '../image/image.ts';
import type { UploadTargetDeps } from '../image/upload-target.ts';
import type { Provenance } from '../provenance/provenance.ts';
import type { CopyRow } from './copy.ts';

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
  /** Where a copy can be fetched without this server, such as at a CDN; null where it cannot. */
  readonly copyUrl: (store: string, key: string) => string | null;
}

/** One for each request. */
export interface GraphqlContext {
  readonly services: Services;
  readonly caller: Caller;
  /** Whether the caller would be let in now, too: a subscription lasts, and its token may not. */
  readonly isLetIn: () => Promise<boolean>;
  // What these find the caller may see; other images are as if they were not there.
  readonly imageByUuid: DataLoader<string, Image | null>;
  /** In or out of the trash no more than MAX_DUPLICATES + 1 of each. */
  readonly imagesByHash: DataLoader<string, Image[]>;
  readonly imageById: DataLoader<number, Image | null>;
  /** In or out of the trash, at most MAX_PARTS. */
  readonly partsOfImage: DataLoader<number, Image[]>;
  readonly editsOfImage: DataLoader<EditsKey, Image[]>;
  /** How many more images the lists within images may answer, nested or not: each level would multiply by a hundred. */
  relatedLeft: number;
  readonly purgeOf: DataLoader<Pick<Image, 'sha256' | 'userId'>, Date | null>;
  readonly copiesOfBlob: DataLoader<number, CopyRow[]>;
  readonly generationOfImage: DataLoader<number, Generation | null>;
  readonly provenanceOfBlob: DataLoader<number, Provenance | null>;
}
