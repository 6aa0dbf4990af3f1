import type { Terminal } from '../command/terminal.ts';

/** The terminal of this process. */
export const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  interactive: process.stderr.isTTY === true,
};

/**
 * Ignores a reader that closes the pipe early (`| head -1`). The command finishes with its usual exit code.
 */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
}

/**
 * Resolves when the reader of the output has taken all of it. Output that is still in a pipe is lost at exit.
 */
export async function outputTaken(): Promise<void> {
  const taken = (stream: NodeJS.WriteStream) =>
    new Promise<void>((resolve) => {
      stream.once('error', () => resolve());
      stream.write('', () => resolve());
    });
  await Promise.all([taken(process.stdout), taken(process.stderr)]);
}
