import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isInstalled, startNginx } from '../test/nginx.ts';
import { freePort } from '../test/postgresql.ts';
import type { Bench } from './bench.ts';
import { agreeOnJson, type ContestResult, runContest } from './contest.ts';
import type { Target } from './load.ts';
import type { ServerProcess } from './servers.ts';

const PAGE_SIZE = 20;
const USERS = 200;

/**
 * Measures what a second process adds: `serve --processes 2`, and two servers behind nginx. "The limit" is
 * one process here. The load generator and PostgreSQL run on the same machine, so two cores leave almost
 * nothing for a second process. The CPU time of a request says what more cores would give.
 */
export async function benchProcesses(bench: Bench): Promise<ContestResult[]> {
  const opened: (() => Promise<void>)[] = [];
  const start = async (...args: string[]) => {
    const port = await freePort();
    // One PUBLIC_URL for all, or their responses would differ.
    const settings = { PORT: String(port), PUBLIC_URL: 'http://images.test' };
    const server = await bench.startProduct(['serve', '--no-workers', ...args], settings);
    opened.push(() => server.stop());
    return { ...server, url: new URL(`http://127.0.0.1:${port}`) };
  };
  try {
    const one = await start();
    const both = await start('--processes', '2');
    const contests: [name: string, about: string, ours: ServerProcess][] = [
      ['processes2', '`serve --processes 2` beside one process, imagePage', both],
    ];
    const second = await start();
    if (isInstalled('nginx')) {
      const nginx = await startNginx({
        directory: path.join(bench.directory, 'processes'),
        site: (
          port,
        ) => `upstream fixative { ${[one, second].map(({ url }) => `server ${url.host};`).join(' ')} keepalive 64; }
          server { listen 127.0.0.1:${port}; location / {
            proxy_pass http://fixative; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }`,
      });
      opened.push(() => nginx.stop());
      contests.push(['servers2', 'two servers behind nginx beside one without it, imagePage', nginx]);
    } else process.stderr.write('servers2 was skipped: nginx is not installed.\n');
    const bodies = await makeBodies(bench);
    const targetOf = (server: ServerProcess): Target => ({
      ...server,
      url: new URL('/graphql', server.url),
      headers: { authorization: `Bearer ${bench.rootToken}` },
    });
    const results: ContestResult[] = [];
    for (const [name, about, server] of contests) {
      const targets = { ours: targetOf(server), limit: targetOf(one) };
      const result = await runContest(
        { name, about, ...(await agreeOnJson(name, targets, bodies)) },
        bench.rules,
        bench.databasePid,
      );
      bench.report(result);
      results.push(result);
    }
    return results;
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

async function makeBodies({ database }: Bench): Promise<string[]> {
  const query = await readFile(new URL('../test/documents/imagePage.graphql', import.meta.url), 'utf8');
  const users = await database.query<{ userId: string }>(
    'SELECT user_id AS "userId" FROM generated_images GROUP BY user_id ORDER BY md5(user_id) LIMIT $1',
    [USERS],
  );
  return users.map(({ userId }) =>
    JSON.stringify({ query, variables: { filter: { userId }, first: PAGE_SIZE } }),
  );
}
