import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { S3Connection } from './s3-client.ts';

/** What an address to PUT to is good for; S3 refuses everything else. */
export interface PresignedContent {
  readonly bytes: number;
  readonly mimeType: string;
  readonly sha256: string | null;
}

/**
 * An address to which whoever has it may PUT one object until it expires, by AWS Signature Version 4 in the query
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). Length, type and checksum are signed headers, so that
 * the client has to send exactly them. Amazon refuses a body of another checksum; servers that know no checksums (Ceph 16) take it, so
 * whoever uses what arrived has to prove its hash. Nothing is asked of S3.
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
      // Left to itself, the presigner leaves the type out and puts the checksum into the query, where not every server looks for it.
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
 * An address from which whoever has it may GET one object until it expires, answered with the type and the Content-Disposition that are given here. Nothing is
 * asked of S3.
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
