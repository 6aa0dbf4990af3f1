import type { Readable } from 'node:stream';

/**
 * The port to a place where bytes arrive that a client sends past the GraphQL request, to an address that it was given for them.
 * What lies there is no blob yet: it has no record beside its upload target, nothing of it is proven, and it goes once the
 * target is completed, refused or expired.
 *
 * What every place guarantees: bytes appear whole or not at all, and putting again replaces. Absent is said one way: `open` throws
 * NotFoundError, `remove` of nothing is silent. A place that cannot be asked throws StoreError.
 */
export interface Arrivals {
  /** What `upload_targets.kind` says of a target whose bytes arrive here. */
  readonly kind: string;
  /** Where exactly these bytes are to be PUT, and with which headers. */
  address(arrival: ExpectedArrival): Promise<ArrivalAddress>;
  /** The stream must be read to its end or destroyed. */
  open(id: string): Promise<Readable>;
  remove(id: string): Promise<void>;
  /** Everything that lies there, in no particular order. */
  list(): AsyncIterable<{ readonly id: string; readonly arrivedAt: Date }>;
}

export interface ExpectedArrival {
  /** A UUID. */
  readonly id: string;
  readonly bytes: number;
  readonly mimeType: string;
  /** SHA-256, 64 lower-case hexadecimal digits, where it was announced. */
  readonly sha256: string | null;
  readonly expiresAt: Date;
}

export interface ArrivalAddress {
  readonly url: string;
  /** Beside Content-Length, which is `bytes` and which every HTTP client sets by itself. */
  readonly headers: Readonly<Record<string, string>>;
}
