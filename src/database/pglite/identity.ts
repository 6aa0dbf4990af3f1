import { randomBytes } from 'node:crypto';

/**
 * Of ControlFileData
 * (https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h), in the byte
 * order of WebAssembly.
 */
const CONTROL = 'global/pg_control';
const SYSTEM_IDENTIFIER_BYTES = 8;
/** The random bytes that stand before the checksum, `mock_authentication_nonce`. */
const NONCE_BYTES = 32;
/** All of it is within one sector, so that it is written as a whole. */
const MOST_CONTROL_BYTES = 512;
/**
 * Each segment of the log begins with a page that names its database (XLogLongPageHeaderData, `xlp_sysid`).
 */
const SEGMENT = /^pg_wal\/[0-9A-F]{24}$/;
const SEGMENT_SYSTEM_IDENTIFIER_AT = 24;

/**
 * Gives a copy of a database that was shut down an identity of its own, as initdb does: another system
 * identifier, which keeps the log of one database from being replayed into another, and another nonce.
 * @param files the content of each file by its name; changed in place.
 * @throws Error when the control file is not as PostgreSQL writes it.
 */
export function renewIdentity(files: ReadonlyMap<string, Buffer>): void {
  const control = files.get(CONTROL) ?? Buffer.alloc(0);
  const checksumAt = findChecksum(control);
  const identifier = control.subarray(0, SYSTEM_IDENTIFIER_BYTES);
  const before = Buffer.from(identifier);
  randomBytes(SYSTEM_IDENTIFIER_BYTES).copy(control);
  // PostgreSQL shows it as a signed number, and never a negative one.
  control.writeUInt8(control.readUInt8(SYSTEM_IDENTIFIER_BYTES - 1) & 0x7f, SYSTEM_IDENTIFIER_BYTES - 1);
  randomBytes(NONCE_BYTES).copy(control, checksumAt - NONCE_BYTES);
  control.writeUInt32LE(crc32c(control.subarray(0, checksumAt)), checksumAt);
  for (const [name, content] of files) {
    if (!SEGMENT.test(name)) continue;
    const place = content.subarray(SEGMENT_SYSTEM_IDENTIFIER_AT).subarray(0, SYSTEM_IDENTIFIER_BYTES);
    if (place.equals(before)) identifier.copy(place);
  }
}

/**
 * Where the checksum stands depends on the version of PostgreSQL: it is the one place that holds the checksum
 * of what is before it.
 */
function findChecksum(control: Buffer): number {
  const most = Math.min(control.length, MOST_CONTROL_BYTES) - 4;
  for (let at = NONCE_BYTES + SYSTEM_IDENTIFIER_BYTES; at <= most; at += 4)
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  throw new Error(`${CONTROL} has no checksum that is right.`);
}

const CASTAGNOLI = 0x82f63b78;

/** CRC-32C (RFC 3720, appendix B.4). Node has the other CRC-32 only. */
function crc32c(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CASTAGNOLI : 0);
  }
  return ~crc >>> 0;
}
