import { randomBytes } from 'node:crypto';

/**
 * Layout of ControlFileData
 * (https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h), in
 * WebAssembly's byte order.
 */
const CONTROL = 'global/pg_control';
const SYSTEM_IDENTIFIER_BYTES = 8;
/** Length of `mock_authentication_nonce`, the random bytes before the checksum. */
const NONCE_BYTES = 32;
/** PG_CONTROL_MAX_SAFE_SIZE: all data is in the first sector, so that it is written atomically. */
const MAX_CONTROL_BYTES = 512;
/** Name of a log segment. Its first page has the system identifier (XLogLongPageHeaderData, `xlp_sysid`). */
const SEGMENT = /^pg_wal\/[0-9A-F]{24}$/;
const SEGMENT_SYSTEM_IDENTIFIER_AT = 24;

/**
 * Gives a copy of a closed database an identity of its own, as initdb does: a new system identifier, which
 * keeps PostgreSQL from replaying the log of one database into another, and a new nonce.
 * @param files content of each file by its name; changed in identifierInSegment.
 * @throws Error when the control file has an unknown layout.
 */
export function renewIdentity(files: ReadonlyMap<string, Buffer>): void {
  const control = files.get(CONTROL) ?? Buffer.alloc(0);
  const checksumAt = findChecksum(control);
  const identifier = control.subarray(0, SYSTEM_IDENTIFIER_BYTES);
  const before = Buffer.from(identifier);
  randomBytes(SYSTEM_IDENTIFIER_BYTES).copy(control);
  // PostgreSQL shows it as a signed number; keep it positive.
  control.writeUInt8(control.readUInt8(SYSTEM_IDENTIFIER_BYTES - 1) & 0x7f, SYSTEM_IDENTIFIER_BYTES - 1);
  randomBytes(NONCE_BYTES).copy(control, checksumAt - NONCE_BYTES);
  control.writeUInt32LE(crc32c(control.subarray(0, checksumAt)), checksumAt);
  for (const [name, content] of files) {
    if (!SEGMENT.test(name)) continue;
    const identifierInSegment = content
      .subarray(SEGMENT_SYSTEM_IDENTIFIER_AT)
      .subarray(0, SYSTEM_IDENTIFIER_BYTES);
    if (identifierInSegment.equals(before)) identifier.copy(identifierInSegment);
  }
}

/**
 * Finds the checksum, whose offset depends on the version of PostgreSQL: it equals the CRC-32C of all bytes
 * before it.
 */
function findChecksum(control: Buffer): number {
  const most = Math.min(control.length, MAX_CONTROL_BYTES) - 4;
  for (let at = NONCE_BYTES + SYSTEM_IDENTIFIER_BYTES; at <= most; at += 4)
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  throw new Error(
    `${CONTROL} has no valid checksum. Make the prepared database again: npm run fixative -- prepare.`,
  );
}

const CASTAGNOLI = 0x82f63b78;

/** Computes CRC-32C (RFC 3720, appendix B.4). Node has only the other CRC-32. */
function crc32c(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CASTAGNOLI : 0);
  }
  return ~crc >>> 0;
}
