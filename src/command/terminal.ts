/**
 * Where a command writes. Results go to `out`, so that they can be piped; what tells a person how it is going
 * goes to `note`.
 */
export interface Terminal {
  out(text: string): void;
  note(text: string): void;
  /** Whether a person watches: lines may be rewritten. */
  readonly interactive: boolean;
}

/** What a command ends with. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRight: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Waits for what has begun, or for the signal to stop. @returns whether the signal came first. */
export function isStoppedFirst(stopped: Promise<void>, begun: Promise<void>): Promise<boolean> {
  return Promise.race([begun.then(() => false), stopped.then(() => true)]);
}

const REDRAW_EVERY_MS = 100;

/** A line that is rewritten in place while a person watches, and not written at all otherwise. */
export function makeProgress(terminal: Terminal) {
  let drawnAt = 0;
  return {
    update(text: string): void {
      if (!terminal.interactive || Date.now() - drawnAt < REDRAW_EVERY_MS) return;
      drawnAt = Date.now();
      terminal.note(`\r\u001b[K${text}`);
    },
    clear(): void {
      if (terminal.interactive && drawnAt > 0) terminal.note('\r\u001b[K');
    },
  };
}

/** Rows in columns, the first row being the heads; numbers to the right. */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return typeof rows[1]?.[column] === 'number'
            ? String(cell).padStart(width)
            : String(cell).padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
