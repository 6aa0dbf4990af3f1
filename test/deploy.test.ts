import { execFile } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const DEPLOY = new URL('../deploy/', import.meta.url);
const read = (name: string) => readFile(new URL(name, DEPLOY), 'utf8');
const isThere = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

describe('the files of deploy', () => {
  test('have the nginx configuration of docs/delivery.md, which other tests run', async () => {
    const page = await read('../docs/delivery.md');
    expect(page).toContain(`\`\`\`nginx\n${await read('nginx/fixative.conf')}\`\`\``);
  });

  test('name settings that exist, and routes that exist', async () => {
    const [settings, api] = [await read('../docs/configuration.md'), await read('../docs/api.md')];
    const dockerfile = await read('../Dockerfile');
    const units = await readdir(new URL('systemd', DEPLOY));
    const texts = await Promise.all(units.map((unit) => read(`systemd/${unit}`)));
    const named = [
      ...[...dockerfile.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = '']) => line.split(' ')),
      ...texts.flatMap((text) => [...text.matchAll(/^Environment=(.*)$/gm)].map(([, one = '']) => one)),
    ].map((assignment) => assignment.split('=')[0]);
    expect(named.length).toBeGreaterThanOrEqual(4);
    for (const name of named) expect(settings).toContain(`**\`${name}\`**`);
    expect(dockerfile).toContain('/ready`');
    expect(await read('caddy/Caddyfile')).toContain('health_uri /ready');
    expect(api).toContain('`GET /ready`');
  });

  test('have units that systemd accepts', async ({ skip }) => {
    const program = '/usr/bin/systemd-analyze';
    if (!(await isThere(program))) skip('systemd-analyze is not installed');
    for (const unit of await readdir(new URL('systemd', DEPLOY))) {
      const { pathname } = new URL(`systemd/${unit}`, DEPLOY);
      const { stderr } = await run(program, ['verify', '--man=no', pathname]).catch(
        (error: { stderr: string }) => error,
      );
      // The program is where the unit says only on a machine where it is installed.
      const complaints = stderr
        .split('\n')
        .filter((line) => line.includes(unit) && !line.includes('is not executable'));
      expect(complaints).toEqual([]);
    }
  });
});
