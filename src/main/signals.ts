import { EXIT } from '../command/terminal.ts';

/**
 * Milliseconds in which further signals count as the first one. `timeout`, npm and terminals signal a process
 * and its group, so one signal arrives twice. A person takes longer to ask again.
 */
const SAME_SIGNAL_MS = 300;

/** The scripts of package.json that run this program. */
const NPM_SCRIPTS = ['start', 'fixative'];
const CHECK_PARENT_MS = 500;

/** Resolves at the first SIGINT or SIGTERM, or when npm was sent one. A second signal ends the process. */
export function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = () => {
      first ??= performance.now();
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(EXIT.failed);
      resolve();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    if (NPM_SCRIPTS.includes(process.env.npm_lifecycle_event ?? '')) void parentEnded().then(resolve);
  });
}

/** Returns a signal that the first SIGINT or SIGTERM aborts: a command then finishes what it has begun. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  void firstSignal().then(() => controller.abort());
  return controller.signal;
}

/**
 * Resolves when the parent process has ended. npm sends SIGTERM to the shell that runs its script. Some
 * shells, such as dash, end without passing it on, and this process would go on without a parent.
 */
function parentEnded(): Promise<void> {
  const { ppid } = process;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (process.ppid === ppid) return;
      clearInterval(timer);
      resolve();
    }, CHECK_PARENT_MS).unref();
  });
}
