import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { settingsText } from '../src/command/settings.ts';
import { SETTINGS } from '../src/config/settings.ts';
import { parseConfig, warningsOf } from '../src/config.ts';

test('has a default for every setting', () => {
  expect(parseConfig({}, '/srv')).toMatchObject({
    host: '127.0.0.1',
    port: 4000,
    metricsPort: null,
    metricsHost: '127.0.0.1',
    publicUrl: null,
    dataDirectory: '/srv/data',
    databaseUrl: null,
    databaseReplicaUrl: null,
    stores: ['filesystem', 'database'],
    requiredStores: ['filesystem', 'database'],
    imageDirectory: '/srv/data/images',
    maxUploadBytes: 50 * 1024 * 1024,
    maxImagePixels: 100_000_000,
    rootToken: null,
    auditDays: 365,
    webhookAllowPrivate: [],
    webhookTimeoutSeconds: 15,
    webhookRetrySeconds: [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400],
    webhookDisableDays: 5,
    webhookLogDays: 30,
    tracing: null,
    jwt: null,
    openai: null,
    google: null,
    xai: null,
    bfl: null,
    fal: null,
    replicate: null,
    azure: null,
    openaiCompatible: null,
    providerTimeoutSeconds: 180,
    providerTimeouts: {},
    secrets: [],
  });
});

test('marks each key, token, secret and password as one that must not appear in logs', () => {
  const names = Object.keys(SETTINGS).filter((name) => /(KEYS?|TOKEN|SECRET|PASSWORD)$/.test(name));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names)
    expect(SETTINGS[name as keyof typeof SETTINGS], name).toMatchObject({ secret: 'value' });
});

test('is frozen', () => {
  expect(Object.isFrozen(parseConfig({}, '/srv'))).toBe(true);
});

test('takes origins as browsers write them, and no star where it would mean more than is meant', () => {
  const good = [
    '*',
    'https://app.example.com',
    'http://localhost:5173',
    'http://[::1]:3000',
    'https://*.example.com',
    'https://*.my_team.example.co.uk:8443',
    'capacitor://localhost',
    'tauri://localhost',
  ];
  expect(parseConfig({ CORS_ORIGINS: good.join(', ') }, '/srv').corsOrigins).toEqual(good);
  expect(parseConfig({ CORS_ORIGINS: 'none' }, '/srv').corsOrigins).toEqual([]);
  for (const bad of [
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com/path',
    'HTTPS://App.example.com',
    'https://*',
    'https://*.com',
    'https://foo.*.com',
    'https://app-*.vercel.app',
    'https://a*b.example.com',
    'https://*.*.example.com',
    'https://*.example.com/',
    '*.example.com',
    'null',
  ])
    expect(() => parseConfig({ CORS_ORIGINS: bad }, '/srv'), bad).toThrow('CORS_ORIGINS');
});

test('takes a variable that is set to nothing as not set', () => {
  expect(parseConfig({ PORT: '', STORES: ' ' }, '/srv')).toMatchObject({
    port: 4000,
    stores: ['filesystem', 'database'],
  });
});

test('keeps the order of STORES', () => {
  const config = parseConfig({ STORES: 'database, filesystem', REQUIRED_STORES: 'filesystem' }, '/srv');
  expect([config.stores, config.requiredStores]).toEqual([['database', 'filesystem'], ['filesystem']]);
});

test.each([
  ['50 MiB', 52_428_800],
  ['1.5 KiB', 1536],
  ['2GB', 2_000_000_000],
  ['123', 123],
])('reads %s as %i bytes', (text, bytes) => {
  expect(parseConfig({ MAX_UPLOAD_BYTES: text }, '/srv').maxUploadBytes).toBe(bytes);
});

test.each(['u:p@ss#w@host/db', 'u:100%@host/db', 'u:a/b@host/db', 'u:p@host:99999/db'])(
  'refuses postgresql://%s and says how a password is written',
  (rest) => {
    expect(() => parseConfig({ DATABASE_URL: `postgresql://${rest}` }, '/srv')).toThrow(
      /DATABASE_URL.*%40 for @/,
    );
  },
);

test.each(['u:p%40ss@host:5433/db?sslmode=require', '/db?host=/run/postgresql', 'u:p@ss@host/db', ''])(
  'takes postgresql://%s',
  (rest) => {
    const databaseUrl = `postgresql://${rest}`;
    const config = parseConfig({ DATABASE_URL: databaseUrl }, '/srv');
    expect(config).toMatchObject({ databaseUrl });
    expect(config.secrets).toEqual(/u:p(%40|@)ss/.test(rest) ? ['p@ss'] : []);
  },
);

test('reports every bad variable at once, with what is allowed', () => {
  const bad = {
    PORT: '70000',
    STORES: 'filesystem,tape',
    DATABASE_URL: 'mysql://x',
    MAX_UPLOAD_BYTES: 'many',
    FIXATIVE_ROOT_TOKEN: 'short',
    PUBLIC_URL: 'ftp://x',
    LOG_LEVEL: 'loud',
  };
  const message = (() => {
    try {
      parseConfig(bad, '/srv');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  for (const name of Object.keys(bad)) expect(message).toContain(`${name}: expected `);
  expect(message).toContain('a whole number from 0 to 65535');
  expect(message).toContain('filesystem, database');
  expect(message).not.toContain('short');
});

describe('a provider', () => {
  test('is there when its key is, at the address of the service unless another is set', () => {
    const config = parseConfig(
      {
        OPENAI_API_KEY: 'sk-1',
        GEMINI_API_KEY: 'g-1',
        XAI_API_KEY: 'x-1',
        BFL_API_KEY: 'b-1',
        FAL_KEY: 'id:secret',
        REPLICATE_API_TOKEN: 'r8_1',
        BFL_BASE_URL: 'http://127.0.0.1:9/v1/',
      },
      '/srv',
    );
    expect(config).toMatchObject({
      openai: { apiKey: 'sk-1', baseUrl: 'https://api.openai.com/v1' },
      google: { apiKey: 'g-1', baseUrl: 'https://generativelanguage.googleapis.com/v1beta' },
      xai: { apiKey: 'x-1', baseUrl: 'https://api.x.ai/v1' },
      bfl: { apiKey: 'b-1', baseUrl: 'http://127.0.0.1:9/v1' },
      fal: { apiKey: 'id:secret', baseUrl: 'https://fal.run' },
      replicate: { apiKey: 'r8_1', baseUrl: 'https://api.replicate.com/v1' },
    });
  });

  test('of Google takes the key under its other name, and GEMINI_API_KEY before it', () => {
    const other = { GOOGLE_GENERATIVE_AI_API_KEY: 'g-2' };
    expect(parseConfig(other, '/srv').google?.apiKey).toBe('g-2');
    expect(parseConfig({ ...other, GEMINI_API_KEY: 'g-1' }, '/srv').google?.apiKey).toBe('g-1');
  });

  test('of Azure is its deployments, each with its model', () => {
    const azure = {
      AZURE_OPENAI_API_KEY: 'k',
      AZURE_OPENAI_BASE_URL: 'https://example.openai.azure.com/openai/v1/',
      AZURE_OPENAI_DEPLOYMENTS: 'pictures = gpt-image-1, posters=dall-e-3,',
    };
    expect(parseConfig(azure, '/srv').azure).toEqual({
      apiKey: 'k',
      baseUrl: 'https://example.openai.azure.com/openai/v1',
      deployments: [
        { name: 'pictures', follows: 'gpt-image-1' },
        { name: 'posters', follows: 'dall-e-3' },
      ],
    });
  });

  test('that speaks the protocol of OpenAI needs no key', () => {
    const compatible = {
      OPENAI_COMPATIBLE_BASE_URL: 'http://localhost:8080/v1',
      OPENAI_COMPATIBLE_MODELS: 'stable/diffusion:xl,edits=gpt-image-1',
    };
    expect(parseConfig(compatible, '/srv').openaiCompatible).toEqual({
      apiKey: null,
      baseUrl: 'http://localhost:8080/v1',
      offered: [
        { name: 'stable/diffusion:xl', follows: null },
        { name: 'edits', follows: 'gpt-image-1' },
      ],
    });
  });

  test('may have a time-out of its own', () => {
    const config = parseConfig(
      { PROVIDER_TIMEOUT_SECONDS: '90', PROVIDER_TIMEOUTS: 'openai=300, openai-compatible = 20' },
      '/srv',
    );
    expect(config.providerTimeoutSeconds).toBe(90);
    expect(config.providerTimeouts).toEqual({ openai: 300, 'openai-compatible': 20 });
  });

  test.each([
    [{ AZURE_OPENAI_API_KEY: 'k' }, ['AZURE_OPENAI_BASE_URL', 'AZURE_OPENAI_DEPLOYMENTS']],
    [{ AZURE_OPENAI_DEPLOYMENTS: 'a=gpt-image-1' }, ['AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_BASE_URL']],
    [{ OPENAI_COMPATIBLE_API_KEY: 'k' }, ['OPENAI_COMPATIBLE_BASE_URL', 'OPENAI_COMPATIBLE_MODELS']],
    [{ OPENAI_COMPATIBLE_BASE_URL: 'http://localhost:1' }, ['OPENAI_COMPATIBLE_MODELS']],
  ])('that is set by half is a fault: %j', (half, lacking) => {
    const [first] = Object.keys(half);
    for (const name of lacking) {
      expect(() => parseConfig(half, '/srv')).toThrow(`${name}: expected a value, because ${first} is set`);
    }
  });

  test.each([
    ['PROVIDER_TIMEOUTS', 'openai'],
    ['PROVIDER_TIMEOUTS', 'openai=0'],
    ['PROVIDER_TIMEOUTS', 'openai=5000'],
    ['PROVIDER_TIMEOUTS', 'midjourney=60'],
    ['AZURE_OPENAI_DEPLOYMENTS', 'pictures'],
    ['AZURE_OPENAI_DEPLOYMENTS', 'a=gpt-image-1,a=dall-e-3'],
    ['OPENAI_COMPATIBLE_MODELS', 'a b'],
    ['XAI_BASE_URL', 'api.x.ai'],
    ['FAL_KEY', 'two words'],
  ])('with %s=%s is refused, by name', (name, value) => {
    expect(() => parseConfig({ [name]: value }, '/srv')).toThrow(`${name}: expected `);
  });

  test('has all of its faults named at once, and no key', () => {
    const bad = {
      BFL_BASE_URL: 'x',
      PROVIDER_TIMEOUTS: 'x',
      XAI_API_KEY: 'a secret',
      AZURE_OPENAI_API_KEY: 'k',
    };
    const faults = Object.keys(bad).slice(0, 3);
    const parse = () => parseConfig(bad, '/srv');
    for (const name of [...faults, 'AZURE_OPENAI_BASE_URL']) expect(parse).toThrow(`${name}: expected `);
    expect(parse).not.toThrow(/secret/);
  });
});

test('refuses a required store that is not a store', () => {
  expect(() => parseConfig({ STORES: 'filesystem', REQUIRED_STORES: 'database' }, '/srv')).toThrow(
    /REQUIRED_STORES/,
  );
});

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));

test('explains every setting in .env.example', async () => {
  const example = await readFile(at('../.env.example'), 'utf8');
  const names = Object.keys(SETTINGS);
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'));
});

test.each([
  ['env', '../.env.example'],
  ['markdown', '../docs/configuration.md'],
] as const)('`npm run settings` has written %s to %s', async (format, file) => {
  expect(await readFile(at(file), 'utf8')).toBe(settingsText(format));
});

test('each property belongs to one setting, but for the two names of the key of Google', () => {
  const properties = Object.values(SETTINGS).map(({ property }) => property);
  const repeated = properties.filter((property, index) => properties.indexOf(property) !== index);
  expect(repeated).toEqual(['google.apiKey']);
});

test.each([
  ['PROT', 'PORT'],
  ['port', 'PORT'],
  ['HOSTT', 'HOST'],
  ['MAX_UPLOAD_BYTE', 'MAX_UPLOAD_BYTES'],
  ['QUOTAS_IMAGE', 'QUOTA_IMAGES'],
  ['AUTH_JWKS_UR', 'AUTH_JWKS_URL'],
])('says that %s is no setting, and that %s is one', (name, meant) => {
  expect(warningsOf({ [name]: '5', PORT: '80' })).toEqual([
    `${name} is not a setting and has no effect. Did you mean ${meant}?`,
  ]);
});

test('says nothing of what is no setting of ours', () => {
  const others = [
    'HOME',
    'PATH',
    'PWD',
    'HOSTNAME',
    'LANG',
    'SHELL',
    'USER',
    'NODE_ENV',
    'AWS_REGION',
    'PGHOST',
    'PGPORT',
  ];
  expect(warningsOf(Object.fromEntries(others.map((name) => [name, 'x'])))).toEqual([]);
});
