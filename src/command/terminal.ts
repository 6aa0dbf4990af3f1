/** Output of a command. Results go to `out`, so that they can be piped. Messages for people go to `note`. */
export interface Terminal {
  out(text: string): void;
  note(text: string): void;
  /** Whether a person watches, so that lines may be rewritten. */
  readonly interactive: boolean;
}

/** Exit codes. `notRight`: the command ran and found a problem. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRight: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Waits until `begun` or `stopped` resolves. Returns whether `stopped` came first. */
export function isStoppedFirst(stopped: Promise<void>, begun: Promise<void>): Promise<boolean> {
  return Promise.race([begun.then(() => false), stopped.then(() => true)]);
}

const REDRAW_EVERY_MS = 100;

/** Shows progress on a line that is rewritten in place. Writes nothing when no person watches. */
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

/** Formats rows in columns. The first row has the headings; numbers are aligned right. */
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
