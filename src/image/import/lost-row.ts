import { v7 as uuidV7 } from 'uuid';
import { type PrismaTransaction, sqlOf } from '../../database/database.ts';
import { Prisma } from '../../database/generated/client/client.ts';
import type { FixativeError } from '../../errors.ts';
import type { Image, ImageDeps } from '../image.ts';
import { explainDataFault, type IngestDeps } from '../ingest/ingest.ts';
import type { ForeignImage } from './foreign-row.ts';
import { AlreadyImported, type ImportKey, recordFailed, recordImported } from './import-record.ts';

/** A row of another system whose bytes are lost. */
export interface LostRow extends ImportKey {
  readonly image: Omit<ForeignImage, 'status' | 'error'>;
  readonly originalUrl: string | null;
  /** Failed image that an earlier run has recorded for it; null: none. */
  readonly imageId: number | null;
  /** true: it had failed in its own system, so there is nothing to retry. */
  readonly imported?: boolean;
}

/** Updates the failed image of a row. @throws AlreadyImported when it was purged or has its bytes. */
async function changeFailed(
  transaction: PrismaTransaction,
  { source, key }: ImportKey,
  { id, failure }: { id: bigint; failure: object },
): Promise<Image> {
  const [image] = await transaction.image.updateManyAndReturn({
    where: { id, status: 'failed' },
    data: failure,
  });
  if (image) return image;
  throw new AlreadyImported(`${source} ${key}`);
}

/**
 * Records a row without its bytes, as a failed image with the reason. So it can be found and generated again.
 */
export async function recordLost(
  { database, defaultVisibility }: Pick<ImageDeps, 'database'> & Pick<IngestDeps, 'defaultVisibility'>,
  lost: LostRow,
  error: FixativeError,
): Promise<Image> {
  const { filename: _unique, metadata, visibility, ...columns } = lost.image;
  const failure = { error: error.message, errorCode: error.code, errorRetryable: false };
  const record = async (transaction: PrismaTransaction) => {
    const image =
      lost.imageId === null
        ? await transaction.image.create({
            data: {
              ...columns,
              visibility: visibility ?? defaultVisibility,
              metadata: metadata === null ? Prisma.DbNull : (metadata as Prisma.InputJsonObject),
              originalUrl: lost.originalUrl,
              uuid: uuidV7(),
              status: 'failed',
              ...failure,
            },
          })
        : await changeFailed(transaction, lost, { id: BigInt(lost.imageId), failure });
    if (lost.imported) await recordImported(sqlOf(transaction), lost, image);
    else await recordFailed(sqlOf(transaction), lost, { error, imageId: image.id });
    return image;
  };
  return database.prismaTransaction(record).catch(explainDataFault);
}
