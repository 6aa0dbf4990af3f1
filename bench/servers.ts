import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const START_SECONDS = 60;

export interface ServerProcess {
  readonly url: URL;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Starts a program of the project and waits for the line on standard output with its address.
 * @param options.directory its working directory, without a developer's `.env`.
 */
export async function startServer(
  args: readonly string[],
  options: { env: Record<string, string>; directory: string },
): Promise<ServerProcess> {
  const [program = '', ...rest] = args;
  const child = spawn(process.execPath, [path.join(ROOT, program), ...rest], {
    cwd: options.directory,
    // Passes only PATH, NODE_ENV and NODE_OPTIONS from the environment; the latter two are there to be tried.
    env: { ...pickEnvironment(['PATH', 'NODE_ENV', 'NODE_OPTIONS']), ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    return { url: await addressOf(child, program), pid: child.pid as number, stop: () => end(child) };
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function addressOf(child: ChildProcess, program: string): Promise<URL> {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_SECONDS * 1000);
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const [, address] = /^ *(?:GraphQL|Listening) +(http:\S+)$/.exec(line) ?? [];
      if (address) return new URL(address);
    }
    throw new Error(
      `${program} ended before it listened (code ${child.exitCode}, signal ${child.signalCode}).`,
    );
  } finally {
    clearTimeout(timer);
    child.stdout?.resume();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

function pickEnvironment(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] as string]])),
  );
}
