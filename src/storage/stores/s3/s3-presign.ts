import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { S3Connection } from './s3-client.ts';

/** The only content that a presigned PUT accepts. */
export interface PresignedContent {
  readonly bytes: number;
  readonly mimeType: string;
  readonly sha256: string | null;
}

/**
 * Returns a URL to which anybody who has it may PUT one object until it expires. Signed by AWS Signature
 * Version 4 in the query (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html),
 * without a request to S3. Length, type and checksum are signed headers, so the client must send exactly
 * them. Amazon refuses a body with another checksum. Servers without checksums (Ceph 16) accept it, so the
 * hash of what arrived must be checked.
 */
export async function presignPut(
  { client, failure }: S3Connection,
  target: { readonly Bucket: string; readonly Key: string },
  { content, expiresAt }: { content: PresignedContent; expiresAt: Date },
): Promise<{ url: string; headers: Record<string, string> }> {
  const checksum = content.sha256 && Buffer.from(content.sha256, 'hex').toString('base64');
  const command = new PutObjectCommand({
    ...target,
    ContentLength: content.bytes,
    ContentType: content.mimeType,
    ...(checksum && { ChecksumSHA256: checksum }),
  });
  try {
    const url = await getSignedUrl(client, command, {
      expiresIn: Math.max(1, Math.ceil((expiresAt.getTime() - Date.now()) / 1000)),
      // By default the presigner omits the type and puts the checksum into the query, which not every server
      // reads.
      signableHeaders: new Set(['host', 'content-type', 'content-length', 'x-amz-checksum-sha256']),
      unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
    });
    const headers = {
      'Content-Type': content.mimeType,
      ...(checksum && { 'x-amz-checksum-sha256': checksum }),
    };
    return { url, headers };
  } catch (error) {
    throw failure('sign an address for', target.Key, error);
  }
}

/**
 * Returns a URL from which anybody who has it may GET one object until it expires, with the given type and
 * Content-Disposition in the response. Makes no request to S3.
 */
export async function presignGet(
  { client, failure }: S3Connection,
  target: { readonly Bucket: string; readonly Key: string },
  answer: { readonly seconds: number; readonly mimeType: string; readonly disposition: string },
): Promise<string> {
  const command = new GetObjectCommand({
    ...target,
    ResponseContentType: answer.mimeType,
    ResponseContentDisposition: answer.disposition,
    ResponseCacheControl: `private, max-age=${answer.seconds}`,
  });
  try {
    return await getSignedUrl(client, command, { expiresIn: answer.seconds });
  } catch (error) {
    throw failure('sign an address for', target.Key, error);
  }
}
