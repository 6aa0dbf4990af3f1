/**
 * Values of bytea from PostgreSQL as the bytes that they are. `pg` has its results as text, where bytea is hexadecimal: twice as much to send, to
 * decode as UTF-8 and to parse; and with its `binary` it decodes the bytes themselves as UTF-8, which breaks them. So rows are taken out of what
 * the server sends before `pg` reads them (https://www.postgresql.org/docs/15/protocol-message-formats.html, DataRow), and all other messages
 * are left to it.
 */
import pg from 'pg';
import { sendLargeValuesAsTheyAre } from './large-values.ts';

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
export class BinaryRowsClient extends pg.Client {
  #rows: (Buffer | null)[] | null = null;

  constructor(config?: string | pg.ClientConfig) {
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
   * Sends one statement of one column of bytea. Nothing else may be sent on this client until it has resolved.
   * @returns its rows, each value in memory of its own.
   */
  async queryBytes(statement: {
    name?: string;
    text: string;
    values: unknown[];
  }): Promise<(Buffer | null)[]> {
    const rows: (Buffer | null)[] = [];
    this.#rows = rows;
    try {
      await this.query({ ...statement, binary: true } as pg.QueryConfig);
      return rows;
    } finally {
      this.#rows = null;
    }
  }

  /** Stands between the socket and pg's reader. Where messages end is followed at all times, for rows may be wanted from any of them on. */
  #between(feed: Feed): Feed {
    /** The beginning of a message whose head has not come whole, and whether pg's reader has it already. */
    let head: Buffer = NOTHING;
    let hasHead = false;
    /** Of a message that has begun: how much is still to come, and where it goes; null: to pg's reader. */
    let left = 0;
    let row: Buffer | null = null;
    return (data) => {
      const passes = this.#rows === null && row === null;
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
            row = this.#rows !== null && head[0] === DATA_ROW ? Buffer.allocUnsafeSlow(left) : null;
            if (!row) feed(Buffer.from(head));
          }
          head = NOTHING;
        }
        const part = data.subarray(at, at + left);
        if (row) part.copy(row, row.length - left);
        else if (!passes && part.length > 0) feed(part);
        at += part.length;
        left -= part.length;
        if (left === 0 && row) {
          this.#rows?.push(firstValue(row));
          row = null;
        }
      }
    };
  }
}

/** The first value of a row: the number of its columns in two bytes, the length of the value in four, -1 for NULL, and the value. */
function firstValue(row: Buffer): Buffer | null {
  const length = row.readInt32BE(2);
  return length < 0 ? null : row.subarray(6, 6 + length);
}
