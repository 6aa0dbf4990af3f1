/** An S3 server as a process of its own: `node test/cluster/s3.ts` prints its address and keys as JSON. */
import { openS3Server } from '../s3-server.ts';

const { endpoint, bucket, credentials } = await openS3Server();
process.stdout.write(`${JSON.stringify({ endpoint, bucket, credentials })}\n`);
