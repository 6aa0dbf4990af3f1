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
  stop(): Promise<void>;
}

/** Whether a program answers to `-v`, as nginx and wrk do. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    // wrk says its version and ends with 1.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** What stands in the block `http`: a server that listens on a port of loopback, and what belongs to it. */
export type NginxSite = (port: number) => string;

/** Files of a directory, as they are. */
export const fileSite =
  (root: string): NginxSite =>
  (port) =>
    `server { listen 127.0.0.1:${port}; root ${root}; }`;

/** The example of docs/delivery.md, before a server whose files lie in a directory. */
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
 * nginx as an administrator sets it up for files: sendfile, tcp_nopush, no log of requests, one worker, as ours is
 * one process.
 * @param options.directory to work in; it is made, and stays.
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
    async stop() {
      child.kill('SIGQUIT');
      await exited;
    },
  };
}
