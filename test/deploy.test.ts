import { execFile } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../src/config/settings.ts';

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

  test.each(['embedded', 'postgresql-s3'])(
    'have the compose file %s, with settings and commands that exist',
    async (name) => {
      const { services, volumes } = parse(await read(`compose/${name}.yml`), { merge: true }) as ComposeFile;
      const ours = Object.values(services).filter(({ image }) => image === 'fixative');
      expect(ours.length).toBeGreaterThan(0);
      for (const { command = ['serve'], environment, volumes: mounted = [] } of ours) {
        for (const variable of Object.keys(environment)) expectSetting(variable);
        await expectCommand(command);
        for (const mount of mounted) expect(Object.keys(volumes)).toContain(mount.split(':')[0]);
      }
      for (const { depends_on: needed = [] } of Object.values(services))
        for (const other of Array.isArray(needed) ? needed : Object.keys(needed))
          expect(Object.keys(services)).toContain(other);
    },
  );

  test('have compose files that docker-compose accepts', async ({ skip }) => {
    const program = '/usr/bin/docker-compose';
    if (!(await isThere(program))) skip('docker-compose is not installed');
    const secrets = ['FIXATIVE_ROOT_TOKEN', 'SIGNING_KEYS', 'POSTGRES_PASSWORD', 'AWS_SECRET_ACCESS_KEY'];
    const env = { ...process.env, ...Object.fromEntries(secrets.map((each) => [each, 'x'.repeat(32)])) };
    for (const name of await readdir(new URL('compose', DEPLOY)))
      await run(program, ['-f', new URL(`compose/${name}`, DEPLOY).pathname, 'config'], { env });
  });

  test('have manifests of Kubernetes whose parts fit each other', async () => {
    const objects = parseAllDocuments(await read('kubernetes/fixative.yaml')).map(
      (each) => each.toJS() as KubernetesObject,
    );
    const api = await read('../docs/api.md');
    const ofKind = (kind: string) => objects.filter((each) => each.kind === kind);
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      'ConfigMap',
      'Deployment',
      'Job',
      'PodDisruptionBudget',
      'Secret',
      'Service',
      'Service',
      'StatefulSet',
    ]);
    const settings = objects.flatMap(({ data = {}, stringData = {} }) =>
      Object.keys({ ...data, ...stringData }),
    );
    for (const name of settings) expectSetting(name);
    const pods = objects.flatMap(({ spec }) => (spec?.template ? [spec] : []));
    expect(pods).toHaveLength(3);
    for (const { template, selector, volumeClaimTemplates = [] } of pods) {
      if (selector) expect(template?.metadata.labels).toMatchObject(selector.matchLabels);
      const volumes = [
        ...(template?.spec.volumes ?? []),
        ...volumeClaimTemplates.map(({ metadata }) => metadata),
      ];
      for (const container of template?.spec.containers ?? []) {
        await expectCommand(container.args);
        expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true });
        for (const { name } of container.volumeMounts)
          expect(volumes.map((each) => each.name)).toContain(name);
        for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
          const asked = container[probe];
          if (!asked) continue;
          expect(api).toContain(`\`GET ${asked.httpGet.path}\``);
          expect(container.ports?.map(({ name }) => name)).toContain(asked.httpGet.port);
        }
      }
    }
    const labels = pods.map(({ template }) => template?.metadata.labels);
    for (const { spec } of [...ofKind('Service')]) expect(labels).toContainEqual(spec?.selector as never);
    for (const { spec } of ofKind('PodDisruptionBudget'))
      expect(labels).toContainEqual(spec?.selector?.matchLabels);
  });
});

/** Variables that the SDK of AWS reads. */
const OF_AWS = /^AWS_(REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY)$/;
function expectSetting(name: string): void {
  if (!OF_AWS.test(name)) expect(Object.keys(SETTINGS)).toContain(name);
}

/** Expects that the command line knows a command and its options. */
async function expectCommand([command = '', ...options]: readonly string[]): Promise<void> {
  const { stdout } = await run(process.execPath, ['src/main.ts', command, '--help']);
  for (const option of options) if (option.startsWith('--')) expect(stdout).toContain(option);
}

interface ComposeFile {
  readonly services: Readonly<
    Record<
      string,
      {
        image?: string;
        command?: string[];
        environment: Record<string, string>;
        volumes?: string[];
        depends_on?: string[] | Record<string, unknown>;
      }
    >
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface KubernetesObject {
  readonly kind: string;
  readonly data?: Record<string, string>;
  readonly stringData?: Record<string, string>;
  readonly spec?: {
    readonly selector?: { readonly matchLabels: Record<string, string> };
    readonly volumeClaimTemplates?: { readonly metadata: { readonly name: string } }[];
    readonly template?: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: {
        readonly volumes?: { readonly name: string }[];
        readonly containers: {
          readonly args: string[];
          readonly ports?: { readonly name: string }[];
          readonly securityContext: object;
          readonly volumeMounts: { readonly name: string }[];
          readonly startupProbe?: Probe;
          readonly readinessProbe?: Probe;
          readonly livenessProbe?: Probe;
        }[];
      };
    };
  };
}
