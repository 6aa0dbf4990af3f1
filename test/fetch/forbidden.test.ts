import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listener, listen, makeLookup, openTestFetcher, type TestFetcher } from './fetching.ts';

/**
 * Everything that leads to where only the server itself could go. PORT is that of a listener that must never
 * be reached.
 */
const LITERALS = [
  // Loopback, as numbers of every base and length, and as other scripts write digits and dots.
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '127.0.0.1.',
    '127.255.255.254',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
  ],
  ...[
    '0x7f000001',
    '0x7f.1',
    '0x7f.0x0.0x0.0x1',
    '0X7F.0.0.1',
    '00000177.1',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '127%2e0%2e0%2e1',
    '%31%32%37.0.0.1',
  ],
  // This host.
  ...['0.0.0.0', '0', '0x0', '00', '0.1.2.3', '[::]', '[0:0:0:0:0:0:0:0]'],
  // IPv6, and IPv4 in its clothes: mapped, compatible, translated, tunnelled.
  ...[
    '[::1]',
    '[0000:0000:0000:0000:0000:0000:0000:0001]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:7f00:1]',
  ],
  ...[
    '[::127.0.0.1]',
    '[::7f00:1]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2002:a9fe:a9fe::1]',
    '[2001:0:7f00:1::]',
    '[2001:0:53aa:64c:0:0:80ff:fffe]',
  ],
  // Private networks, carriers' networks, link-local, site-local, unique local.
  ...[
    '10.0.0.1',
    '10.1',
    '0xa.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.1',
    '100.64.0.1',
    '169.254.0.1',
  ],
  ...[
    '[fc00::1]',
    '[fd12:3456::1]',
    '[fe80::1]',
    '[febf::1]',
    '[fec0::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:192.168.0.1]',
  ],
  // The metadata of clouds.
  ...[
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '169.254.170.2',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    '[::ffff:168.63.129.16]',
  ],
  // Reserved, broadcast, multicast, benchmarking and documentation.
  ...[
    '255.255.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '198.18.0.1',
    '192.0.0.8',
    '[ff02::1]',
    '[ff0e::1]',
    '[2001:db8::1]',
    '[100::1]',
    '[3fff::1]',
    '[5f00::1]',
    '[4000::1]',
  ],
];

/**
 * Addresses that each name resolves to, one list a DNS answer. A name must be refused even when a public
 * address stands beside the forbidden one.
 */
const NAMES: Record<string, string[][]> = {
  localhost: [['127.0.0.1']],
  'localhost.': [['127.0.0.1', '::1']],
  'loopback.test': [['127.0.0.1']],
  'loopback6.test': [['::1']],
  'any.test': [['0.0.0.0']],
  'any6.test': [['::']],
  'mapped.test': [['::ffff:127.0.0.1']],
  'compatible.test': [['::127.0.0.1']],
  'nat64.test': [['64:ff9b::7f00:1']],
  'zone.test': [['fe80::1%lo']],
  'private.test': [['192.168.0.1']],
  'metadata.google.internal': [['169.254.169.254']],
  'instance-data.ec2.internal': [['fd00:ec2::254']],
  'public-and-loopback.test': [['93.184.216.34', '127.0.0.1']],
  'loopback-and-public.test': [['127.0.0.1', '93.184.216.34']],
  'public-and-loopback6.test': [['2606:4700::1', '::1']],
  'nothing.test': [[]],
  'nonsense.test': [['not an address']],
};

describe('an address of a private network', () => {
  const listeners: Listener[] = [];
  let port: number;
  let front: Listener;
  let fetcher: TestFetcher;
  beforeAll(async () => {
    const secret = await listen((_request, response) => void response.end('secret'));
    listeners.push(secret);
    port = secret.port;
    listeners.push(
      await listen((_request, response) => void response.end('secret'), '::1').catch(() => secret),
    );
    // An allowed source that redirects the fetcher to the address in the query.
    front = await listen((request, response) => {
      const to = new URL(request.url ?? '', 'http://front.test').searchParams.get('to') ?? '';
      // Sends the location as raw UTF-8, because not every server escapes it.
      response.writeHead(302, { location: Buffer.from(to).toString('latin1') }).end();
    });
    fetcher = await openTestFetcher({
      allowPrivate: ['front.test'],
      timeoutSeconds: 2,
      lookup: makeLookup({
        ...NAMES,
        'front.test': [['127.0.0.1']],
        'rebind.test': [['93.184.216.34'], ['127.0.0.1']],
      }),
    });
  });
  afterAll(async () => {
    await fetcher.close();
    await front.close();
    for (const listener of new Set(listeners)) {
      expect(listener.seen.connections, 'connections to what must never be reached').toBe(0);
      await listener.close();
    }
  });

  const refused = (told: Record<string, unknown>) => {
    // INVALID_INPUT: WHATWG's parser does not accept the URL at all.
    expect(['SOURCE_FORBIDDEN', 'INVALID_INPUT'], String(told.message)).toContain(told.code);
    expect(told.retryable).toBe(false);
  };

  test.each(LITERALS)('is rejected as %s', async (host) => {
    for (const scheme of ['http', 'https']) refused(await fetcher.tell(`${scheme}://${host}:${port}/`));
  });

  test.each(LITERALS)('is rejected as %s as the target of a redirect', async (host) => {
    const to = encodeURIComponent(`http://${host}:${port}/`);
    refused(await fetcher.tell(`http://front.test:${front.port}/?to=${to}`));
  });

  test.each(Object.keys(NAMES))('is refused as the name %s', async (name) => {
    expect(await fetcher.tell(`http://${name}:${port}/`)).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    const to = encodeURIComponent(`//${name}:${port}/`);
    const told = await fetcher.tell(`http://front.test:${front.port}/?to=${to}`);
    expect(told).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    // The message does not reveal the address that the name resolves to.
    expect(told.message).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
  });

  test('is rejected when a name resolves to it only the second time', async () => {
    const first = await fetcher.tell(`http://rebind.test:${port}/`);
    expect(first).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
    expect(await fetcher.tell(`http://rebind.test:${port}/`)).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
  });

  test.each([
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'gopher://127.0.0.1/',
    'data:text/plain,secret',
    'blob:http://front.test/1',
    'javascript:1',
    'ws://front.test/',
    'unix:/var/run/docker.sock',
    'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
    'http://user@front.test/',
    'http://user:password@front.test/',
    'http://front.test@127.0.0.1/',
    'http://:password@front.test/',
  ])('is rejected as %s, directly and as the target of a redirect', async (address) => {
    expect(await fetcher.tell(address)).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    const to = encodeURIComponent(address);
    expect(await fetcher.tell(`http://front.test:${front.port}/?to=${to}`)).toMatchObject({
      code: 'SOURCE_FORBIDDEN',
    });
  });

  test.each([
    '',
    'front.test/a.png',
    '//front.test/a.png',
    'http://',
    'http://[fe80::1%25lo]/',
    'http://127.0.0.1%00/',
    'http://1.2.3.4.5/',
    'http://256.1.1.1/',
  ])('is invalid as %j', async (address) => {
    expect(await fetcher.tell(address)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is invalid when it is too long', async () => {
    const address = `http://front.test/${'a'.repeat(9000)}`;
    expect(await fetcher.tell(address)).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('ALLOW_PRIVATE_SOURCES', () => {
  let listener: Listener;
  beforeAll(async () => {
    listener = await listen((_request, response) => void response.end('allowed'));
  });
  afterAll(() => listener.close());

  test.each([
    [['127.0.0.1'], '127.0.0.1'],
    [['127.0.0.0/8'], '2130706433'],
    [['10.0.0.0/8', '127.0.0.0/8'], '[::ffff:127.0.0.1]'],
    [['media.test'], 'media.test'],
    [['MEDIA.test.'], 'media.test'],
    [['media.test'], 'media.test.'],
    [['127.0.0.1'], 'media.test'],
    [['::ffff:127.0.0.1'], '127.0.0.1'],
  ])('%j allows %s', async (allowPrivate, host) => {
    const lookup = makeLookup({ 'media.test': [['127.0.0.1']], 'media.test.': [['127.0.0.1']] });
    const fetcher = await openTestFetcher({ allowPrivate, lookup });
    expect(await fetcher.tell(`http://${host}:${listener.port}/`)).toMatchObject({ text: 'allowed' });
    await fetcher.close();
  });

  test.each([
    [['10.0.0.0/8'], '127.0.0.1'],
    [['media.test'], '127.0.0.1'],
    [['media.test'], 'evil.media.test'],
    [['test'], 'media.test'],
    [['::/0'], '127.0.0.1'],
  ])('%j does not allow %s', async (allowPrivate, host) => {
    const before = listener.seen.connections;
    const names = { 'media.test': [['127.0.0.1']], 'evil.media.test': [['127.0.0.1']] };
    const fetcher = await openTestFetcher({ allowPrivate, lookup: makeLookup(names) });
    expect(await fetcher.tell(`http://${host}:${listener.port}/`)).toMatchObject({
      code: 'SOURCE_FORBIDDEN',
    });
    expect(listener.seen.connections).toBe(before);
    await fetcher.close();
  });
});
