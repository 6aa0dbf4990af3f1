import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServerProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Exit code, once the process has ended; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Ends the process without notice, as a power cut would. */
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  /** Standard output so far. */
  readonly out: () => string;
  /** Standard error so far. */
  readonly log: () => string;
}

/**
 * Starts the real server as a process of its own and waits until it listens; or a worker, whose `url` is
 * empty.
 */
export async function startServer(
  environment: Record<string, string>,
  args: readonly string[] = ['serve'],
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      out += chunk;
      const found = /GraphQL\s+(http:\S+)\/graphql/.exec(out);
      if (found?.[1]) resolve(found[1]);
      if (out.includes('at work')) resolve('');
    });
    child.once('close', () =>
      reject(
        new Error(
          `The server ended before it listened (${child.exitCode ?? child.signalCode}): ${out}${log}`,
        ),
      ),
    );
  });
  return {
    url,
    child,
    ended: closed,
    out: () => out,
    log: () => log,
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
    stop() {
      child.kill('SIGTERM');
      return closed;
    },
  };
}

/** Runs a command to its end. */
export async function runCommand(args: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, log };
}
