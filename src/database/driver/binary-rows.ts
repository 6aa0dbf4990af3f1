/**
 * Values of bytea from PostgreSQL as the bytes that they are. `pg` has its results as text, where bytea is
 * hexadecimal: twice as much to send, to decode as UTF-8 and to parse; and with its `binary` it decodes the
 * bytes themselves as UTF-8, which breaks them. So rows are taken out of what the server sends before `pg`
 * reads them (https://www.postgresql.org/docs/15/protocol-message-formats.html, DataRow), and all other
 * messages are left to it.
 */
import type pg from 'pg';
import { sendLargeValuesAsTheyAre } from './large-values.ts';
import { SessionClient, type SessionConfig } from './session.ts';

type Feed = (data: Buffer) => void;

/** What of pg's connections is used here and not in its types. */
interface PgConnection {
  attachListeners(stream: Listened): void;
}
interface Listened {
  on(event: string, listener: (...given: never[]) => void): unknown;
}

const DATA_ROW = 0x44;
/** The kind of a message and its length, which counts itself. */
const HEAD_BYTES = 5;
const NOTHING = Buffer.alloc(0);

/** A client that can take rows of one column of bytea. */
export class BinaryRowsClient extends SessionClient {
  #rows: (Buffer | null)[] | null = null;
  /** Room for values that come. */
  #room: Buffer = NOTHING;

  constructor(config: SessionConfig) {
    super(config);
    sendLargeValuesAsTheyAre(this);
    const { connection } = this as unknown as { connection: PgConnection };
    const attach = connection.attachListeners.bind(connection);
    connection.attachListeners = (stream) => {
      attach({
        on: (event, listener) =>
          stream.on(event, event === 'data' ? this.#between(listener as unknown as Feed) : listener),
      });
    };
  }

  /**
   * Sends one statement of one column of bytea. Nothing else may be sent on this client until it has
   * resolved.
   * @param room is filled with values, one after the other, as long as they fit. When this throws, what was
   *   on its way may still be put there.
   * @returns its rows, each value that is not there in memory of its own.
   */
  async queryBytes(
    statement: { name?: string; text: string; values: unknown[] },
    room: Buffer = NOTHING,
  ): Promise<(Buffer | null)[]> {
    const rows: (Buffer | null)[] = [];
    this.#rows = rows;
    this.#room = room;
    try {
      await this.query({ ...statement, binary: true } as pg.QueryConfig);
      return rows;
    } finally {
      this.#rows = null;
      this.#room = NOTHING;
    }
  }

  #takeRoom(bytes: number): Buffer {
    if (bytes > this.#room.length) return Buffer.allocUnsafeSlow(bytes);
    const taken = this.#room.subarray(0, bytes);
    this.#room = this.#room.subarray(bytes);
    return taken;
  }

  /**
   * Stands between the socket and pg's reader. Where messages end is followed at all times, for rows may be
   * wanted from any of them on.
   */
  #between(feed: Feed): Feed {
    /** The beginning of a message whose head has not come whole, and whether pg's reader has it already. */
    let head: Buffer = NOTHING;
    let hasHead = false;
    /**
     * Of a message that has begun: how much is still to come, and whether it is a row, which does not go to
     * pg's reader.
     */
    let left = 0;
    let isRow = false;
    const row = new Row((bytes) => this.#takeRoom(bytes));
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
        if (isRow) row.take(part);
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

/** The number of a row's columns in two bytes, and the length of its first value in four, -1 for NULL. */
const ROW_HEAD_BYTES = 6;

/** The first value of one row after the other, put together from the parts in which they come. */
class Row {
  readonly #take: (bytes: number) => Buffer;
  readonly #head = Buffer.alloc(ROW_HEAD_BYTES);
  #value: Buffer | null = null;
  /** Of the row that has begun. */
  #taken = 0;

  /** @param take gives memory for a value of this length. */
  constructor(take: (bytes: number) => Buffer) {
    this.#take = take;
  }

  take(part: Buffer): void {
    let rest = part;
    if (this.#taken < ROW_HEAD_BYTES) {
      const copied = part.copy(this.#head, this.#taken);
      this.#taken += copied;
      rest = part.subarray(copied);
      if (this.#taken < ROW_HEAD_BYTES) return;
      const length = this.#head.readInt32BE(2);
      this.#value = length < 0 ? null : this.#take(length);
    }
    if (this.#value) rest.copy(this.#value, this.#taken - ROW_HEAD_BYTES);
    this.#taken += rest.length;
  }

  /** Its value, when all of it has come. */
  end(): Buffer | null {
    const value = this.#value;
    this.#value = null;
    this.#taken = 0;
    return value;
  }
}
