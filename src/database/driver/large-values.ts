/**
 * Sends large values to PostgreSQL without copying them. `pg` copies all values of a statement into one
 * buffer that grows by halves: for a megabyte it takes four and copies three. Here a Bind message with a
 * large value is written in parts (https://www.postgresql.org/docs/15/protocol-message-formats.html, Bind).
 */
import type pg from 'pg';

/** Least size of a value to send uncopied. */
const LARGE_BYTES = 16 * 1024;
const BIND = 0x42;
const TEXT = 0;
const BINARY = 1;

/** Members of pg's connections that are missing in its types. */
interface PgConnection {
  readonly stream: { readonly writable: boolean; write(part: Uint8Array): void };
  bind(message: BindMessage): void;
}
interface BindMessage {
  readonly portal?: string;
  readonly statement?: string;
  readonly values?: readonly unknown[];
  /** Whether to return results in binary. */
  readonly binary?: boolean;
  /** Converts a value for the protocol. */
  readonly valueMapper?: (value: unknown, index: number) => string | Buffer | null | undefined;
}

/**
 * Makes a client send large values uncopied from now on. Do not change a value before its statement has
 * ended.
 */
export function sendLargeValuesUncopied(client: pg.ClientBase): void {
  const { connection } = client as unknown as { connection: PgConnection };
  const bind = connection.bind.bind(connection);
  connection.bind = (message) => {
    if (!message.values?.some((value) => value instanceof Uint8Array && value.length >= LARGE_BYTES))
      return bind(message);
    const parts = partsOf(message);
    // The statement has corked the stream, so all parts leave together.
    if (connection.stream.writable) for (const part of parts) connection.stream.write(part);
  };
}

/**
 * Returns a Bind message in parts.
 * @throws what `valueMapper` throws; nothing has been sent then.
 */
function partsOf({ portal, statement, values = [], binary, valueMapper }: BindMessage): Uint8Array[] {
  const mapped = values.map(
    (value, index) => (valueMapper ? valueMapper(value, index) : (value as Buffer)) ?? null,
  );
  const formats = mapped.map((value) => (value instanceof Uint8Array ? BINARY : TEXT));
  const parts: Uint8Array[] = [
    Buffer.from(`${portal ?? ''}\0${statement ?? ''}\0`),
    int16(formats.length),
    ...formats.map(int16),
    int16(mapped.length),
    ...mapped.flatMap((value) => {
      if (value === null) return [int32(-1)];
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      return [int32(bytes.length), bytes];
    }),
    int16(1),
    int16(binary ? BINARY : TEXT),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return joinSmall([Buffer.of(BIND), int32(length), ...parts]);
}

/** Joins adjacent small parts into one. */
function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  for (const part of parts) {
    if (part.length < LARGE_BYTES) small.push(part);
    else {
      joined.push(Buffer.concat(small), part);
      small = [];
    }
  }
  return [...joined, Buffer.concat(small)];
}

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  // Unsigned, because a statement has up to 65,535 parameters.
  bytes.writeUInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}
