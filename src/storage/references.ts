/**
 * Which rows keep a blob. The storage service knows its own tables only, so its caller names the columns that
 * refer to blobs. A blob is deleted when no row refers to it.
 */
export interface BlobReference {
  readonly table: string;
  readonly column: string;
}

/**
 * Returns an SQL condition: no row refers to the blob whose id is the expression `blobId`.
 * @param references must not be empty: without a column that refers to blobs, every blob could be deleted.
 */
export function noReference(references: readonly BlobReference[], blobId: string): string {
  if (references.length === 0) throw new Error('The storage service needs the columns that refer to blobs.');
  const conditions = references.map(
    ({ table, column }) => `NOT EXISTS (SELECT 1 FROM ${table} r WHERE r.${column} = ${blobId})`,
  );
  return conditions.join(' AND ');
}
