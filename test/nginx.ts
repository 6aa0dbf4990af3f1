import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { freePort } from './postgresql.ts';

export interface Nginx {
  readonly url: URL;
  readonly pid: number;
  /** Default: SIGQUIT, which lets the requests in progress end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Returns whether a program responds to `-v`, as nginx and wrk do. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    // wrk prints its version and exits with 1.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Content of the block `http`: a server that listens on a port of loopback, and what it needs. */
export type NginxSite = (port: number) => string;

/** Serves the files of a directory. */
export const fileSite =
  (root: string): NginxSite =>
  (port) =>
    `server { listen 127.0.0.1:${port}; root ${root}; }`;

/** The example of docs/delivery.md, in front of a server with its files in a directory. */
export async function documentedSite(server: URL, files: string): Promise<NginxSite> {
  const docs = await readFile(new URL('../docs/delivery.md', import.meta.url), 'utf8');
  const [, example] = /```nginx\n([\s\S]*?)```/.exec(docs) ?? [];
  if (!example) throw new Error('docs/delivery.md has no example for nginx.');
  return (port) =>
    example
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replace('server 127.0.0.1:4000;', `server ${server.host};`)
      .replace('/var/lib/fixative/images/', `${files}/`);
}

/**
 * Starts nginx as an administrator sets it up for files: sendfile, tcp_nopush, no access log. One worker,
 * because our server is one process.
 * @param options.directory working directory; it is created, and not deleted.
 */
export async function startNginx(options: { directory: string; site: NginxSite }): Promise<Nginx> {
  const port = await freePort();
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'nginx.conf');
  await writeFile(
    file,
    `daemon off;
worker_processes 1;
error_log ${directory}/error.log;
pid ${directory}/nginx.pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  types { image/png png; }
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  ${options.site(port)}
}
`,
  );
  await chmod(directory, 0o755);
  const child = spawn('nginx', ['-p', directory, '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  const url = new URL(`http://127.0.0.1:${port}/`);
  for (let tries = 0; ; tries++) {
    const answered = await fetch(url).then(
      (response) => response.text().then(() => true),
      () => false,
    );
    if (answered) break;
    if (tries > 100 || child.exitCode !== null) throw new Error('nginx does not start.');
    await sleep(50);
  }
  return {
    url,
    pid: child.pid as number,
    async stop(signal = 'SIGQUIT') {
      child.kill(signal);
      await exited;
    },
  };
}
