import type { Readable } from 'node:stream';

/**
 * The port to a place for the bytes of upload targets. Clients send them outside of the GraphQL request, to a
 * URL that they were given. An arrival is not a blob yet: only its upload target is on record, and nothing of
 * it is proven. It is deleted when the target is completed, refused or expired.
 *
 * Every adapter guarantees:
 * - Bytes appear atomically, and putting again replaces.
 * - Absent arrivals: `open` throws NotFoundError, `remove` does nothing.
 * - Any failure of the place throws StoreError.
 */
export interface Arrivals {
  /** Value of `upload_targets.kind` for targets whose bytes arrive here. */
  readonly kind: string;
  /** Returns the URL to PUT exactly these bytes to, and the headers to send. */
  address(arrival: ExpectedArrival): Promise<ArrivalAddress>;
  /** The stream must be read to its end or destroyed. */
  open(id: string): Promise<Readable>;
  remove(id: string): Promise<void>;
  /** Lists all arrivals, in no particular order. */
  list(): AsyncIterable<{ readonly id: string; readonly arrivedAt: Date }>;
}

export interface ExpectedArrival {
  /** A UUID. */
  readonly id: string;
  readonly bytes: number;
  readonly mimeType: string;
  /** SHA-256, 64 lower-case hexadecimal digits; null if the client did not announce it. */
  readonly sha256: string | null;
  readonly expiresAt: Date;
}

export interface ArrivalAddress {
  readonly url: string;
  /** Headers beside Content-Length, which every HTTP client sets by itself. */
  readonly headers: Readonly<Record<string, string>>;
}
