import path from 'node:path';
import type { UploadAddress } from '../auth/upload-address.ts';
import type { Config } from '../config.ts';
import type { Arrivals } from '../storage/arrivals/arrivals.ts';
import { openDirectoryArrivals } from '../storage/arrivals/directory.ts';
import type { DiskHealth } from '../storage/disk-health.ts';
import type { Closing } from './closing.ts';
import { openS3Arrivals } from './open-stores.ts';

/** Opens what receives the bytes of upload targets: S3 itself if it is a store, and the data directory. */
export async function openArrivals(
  config: Config,
  {
    uploadAddress,
    diskHealth,
    closing,
  }: { uploadAddress: UploadAddress; diskHealth: DiskHealth; closing: Closing },
) {
  const directory = await openDirectoryArrivals({
    directory: path.join(config.dataDirectory, 'uploads'),
    urlOf: uploadAddress.urlOf,
    onDiskFault: (error) => diskHealth.note('uploads', error),
  });
  const s3 = await openS3Arrivals(config);
  closing.add('arrivals', async () => s3?.close());
  const arrivals: [Arrivals, ...Arrivals[]] = s3 ? [s3.arrivals, directory] : [directory];
  return { arrivals, directory, needsDataDirectory: s3 === null };
}
