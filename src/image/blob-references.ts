import type { BlobReference } from '../storage/references.ts';

/** Columns that refer to blobs. The storage service keeps a blob while a row of these refers to it. */
export const BLOB_REFERENCES: readonly BlobReference[] = [{ table: 'generated_images', column: 'blob_id' }];
