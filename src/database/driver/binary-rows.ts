/**
 * Reads bytea from PostgreSQL in binary. `pg` reads results as text, where bytea is hexadecimal: twice as
 * much to send, to decode as UTF-8 and to parse. Its option `binary` decodes the bytes as UTF-8, which
 * corrupts them. So the DataRow messages (https://www.postgresql.org/docs/15/protocol-message-formats.html)
 * are taken from the socket before `pg` reads them; all other messages go to `pg`.
 */
import type pg from 'pg';
import { sendLargeValuesUncopied } from './large-values.ts';
import { SessionClient, type SessionConfig } from './session.ts';

type Feed = (data: Buffer) => void;

/** Members of pg's connections that are missing in its types. */
interface PgConnection {
  attachListeners(stream: Listened): void;
}
interface Listened {
  on(event: string, listener: (...given: never[]) => void): unknown;
}

const DATA_ROW = 0x44;
/** Type and length of a message. The length counts itself, but not the type. */
const HEAD_BYTES = 5;
const NOTHING = Buffer.alloc(0);

/** A client that can read rows of one bytea column in binary. */
export class BinaryRowsClient extends SessionClient {
  #rows: (Buffer | null)[] | null = null;
  /** Memory for the values to come. */
  #buffer: Buffer = NOTHING;

  constructor(config: SessionConfig) {
    super(config);
    sendLargeValuesUncopied(this);
    const { connection } = this as unknown as { connection: PgConnection };
    const attach = connection.attachListeners.bind(connection);
    connection.attachListeners = (stream) => {
      attach({
        on: (event, listener) =>
          stream.on(event, event === 'data' ? this.#intercept(listener as unknown as Feed) : listener),
      });
    };
  }

  /**
   * Sends one statement that returns one bytea column. Send nothing else on this client until it has
   * resolved.
   * @param buffer memory for the first values, one after the other. After an error, do not reuse it: bytes
   *   may still arrive.
   * @returns the values; those that do not fit into `buffer` have memory of their own.
   */
  async queryBytes(
    statement: { name?: string; text: string; values: unknown[] },
    buffer: Buffer = NOTHING,
  ): Promise<(Buffer | null)[]> {
    const rows: (Buffer | null)[] = [];
    this.#rows = rows;
    this.#buffer = buffer;
    try {
      await this.query({ ...statement, binary: true } as pg.QueryConfig);
      return rows;
    } finally {
      this.#rows = null;
      this.#buffer = NOTHING;
    }
  }

  #allocate(bytes: number): Buffer {
    if (bytes > this.#buffer.length) return Buffer.allocUnsafeSlow(bytes);
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  /**
   * Returns a function to put between the socket and pg's reader. It follows the bounds of all messages,
   * because rows may be wanted from any message on.
   */
  #intercept(feed: Feed): Feed {
    /** First bytes of a message whose head is incomplete. */
    let head: Buffer = NOTHING;
    /** Whether pg's reader already has those bytes. */
    let hasHead = false;
    /** Bytes of the current message that are still to come. */
    let left = 0;
    /** Whether the current message is a row to keep from pg's reader. */
    let isRow = false;
    const row = new RowReader((bytes) => this.#allocate(bytes));
    return (data) => {
      const passes = this.#rows === null && !isRow;
      if (passes) {
        if (head.length > 0 && !hasHead) feed(head);
        feed(data);
      }
      let at = 0;
      while (at < data.length) {
        if (left === 0) {
          const isBegun = head.length > 0 && hasHead;
          const more = data.subarray(at, at + HEAD_BYTES - head.length);
          head = head.length > 0 ? Buffer.concat([head, more]) : more;
          at += more.length;
          if (isBegun && !passes) feed(more);
          if (head.length < HEAD_BYTES) {
            head = Buffer.from(head);
            hasHead = isBegun || passes;
            return;
          }
          left = head.readUInt32BE(1) - 4;
          if (!passes && !isBegun) {
            isRow = this.#rows !== null && head[0] === DATA_ROW;
            if (!isRow) feed(Buffer.from(head));
          }
          head = NOTHING;
        }
        const part = data.subarray(at, at + left);
        if (isRow) row.add(part);
        else if (!passes && part.length > 0) feed(part);
        at += part.length;
        left -= part.length;
        if (left === 0 && isRow) {
          this.#rows?.push(row.end());
          isRow = false;
        }
      }
    };
  }
}

/** Number of columns (2 bytes) and length of the first value (4 bytes; -1: NULL). */
const ROW_HEAD_BYTES = 6;

/** Assembles the first value of each row from the parts that arrive. */
class RowReader {
  readonly #allocate: (bytes: number) => Buffer;
  readonly #head = Buffer.alloc(ROW_HEAD_BYTES);
  #value: Buffer | null = null;
  /** Bytes of the current row that have arrived. */
  #taken = 0;

  /** @param allocate returns memory for a value of this length. */
  constructor(allocate: (bytes: number) => Buffer) {
    this.#allocate = allocate;
  }

  add(part: Buffer): void {
    let rest = part;
    if (this.#taken < ROW_HEAD_BYTES) {
      const copied = part.copy(this.#head, this.#taken);
      this.#taken += copied;
      rest = part.subarray(copied);
      if (this.#taken < ROW_HEAD_BYTES) return;
      const length = this.#head.readInt32BE(2);
      this.#value = length < 0 ? null : this.#allocate(length);
    }
    if (this.#value) rest.copy(this.#value, this.#taken - ROW_HEAD_BYTES);
    this.#taken += rest.length;
  }

  /** Returns the value of a complete row, and prepares for the next row. */
  end(): Buffer | null {
    const value = this.#value;
    this.#value = null;
    this.#taken = 0;
    return value;
  }
}
