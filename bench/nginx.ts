import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { freePort } from '../test/postgresql.ts';
import type { ServerProcess } from './servers.ts';

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

/**
 * nginx as an administrator sets it up for files: sendfile, tcp_nopush, no log of requests, one worker, as ours is
 * one process.
 * @param options.server what stands in its block `server`, besides where it listens.
 * @param options.http what stands before that.
 */
export async function startNginx(options: {
  directory: string;
  server: string;
  http?: string;
}): Promise<ServerProcess> {
  const port = await freePort();
  const directory = path.join(options.directory, 'nginx');
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'nginx.conf');
  await writeFile(
    file,
    `daemon off;
worker_processes 1;
error_log ${directory}/error.log;
pid ${directory}/nginx.pid;
user root;
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  types { image/png png; }
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  ${options.http ?? ''}
  server { listen 127.0.0.1:${port}; ${options.server} }
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
