import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NotFoundError, StoreError } from '../../src/errors.ts';
import { keyOf } from '../../src/storage/blob.ts';
import { type GithubStore, openGithubStore } from '../../src/storage/stores/github/github.ts';
import type { GithubOptions } from '../../src/storage/stores/github/github-client.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { type GithubStandIn, openGithubStandIn } from '../github-stand-in.ts';
import { eventually } from '../harness.ts';
import { describeStore, sourceOf } from './store-contract.ts';

const TOKEN = 'ghp_secretsecretsecretsecretsecretsecret';
const ABSENT = keyOf('0'.repeat(64), 'image/png');

function openStore(github: GithubStandIn, options: Partial<GithubOptions> = {}): Promise<GithubStore> {
  const { apiUrl, token, repository, branch } = github;
  return openGithubStore({ name: 'github', apiUrl, token, repository, branch, ...options });
}

async function openSubject(standIn: Parameters<typeof openGithubStandIn>[0], treeLimit?: number) {
  const github = await openGithubStandIn(standIn);
  if (treeLimit) github.treeLimit = treeLimit;
  const store = await openStore(github);
  return {
    store,
    async close() {
      await store.close();
      await github.close();
    },
  };
}

describeStore('github', () => openSubject({}));
describeStore('github, in a repository that was empty', () => openSubject({ empty: true }));
describeStore('github, with truncated listings', () => openSubject({}, 3));

describe('the github store', () => {
  async function withStore(
    work: (store: GithubStore, github: GithubStandIn) => Promise<void>,
    options: Partial<GithubOptions> = {},
    standIn: Parameters<typeof openGithubStandIn>[0] = {},
  ) {
    const github = await openGithubStandIn(standIn);
    const store = await openStore(github, options);
    try {
      await work(store, github);
    } finally {
      await store.close();
      await github.close();
    }
  }

  function make(bytes: number) {
    const data = randomBytes(bytes);
    const source = sourceOf(data);
    return { data, source, key: keyOf(source.sha256, 'image/png') };
  }

  async function put(store: Store, bytes = 1000) {
    const made = make(bytes);
    return { ...made, stat: await store.put(made.key, made.source) };
  }

  async function keysOf(store: Store) {
    const keys: string[] = [];
    for await (const { key } of store.list()) keys.push(key);
    return keys;
  }

  const commits = async (github: GithubStandIn) => Number(await github.git('rev-list', '--count', 'HEAD'));
  const asked = (github: GithubStandIn, match: RegExp) =>
    github.requests.filter((request) => match.test(request)).length;

  /** Returns the error that a promise is rejected with. */
  const failureOf = (promise: Promise<unknown>): Promise<StoreError> =>
    promise.then(
      () => expect.unreachable('it did not fail'),
      (error) => error,
    );

  test('makes a valid repository, from which git reads the files', () =>
    withStore(async (store, github) => {
      const files = await Promise.all([1, 5000, 400_000].map((bytes) => put(store, bytes)));
      for (const { key, data, stat } of files) {
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
        expect(`${await github.git('rev-parse', `HEAD:file-library/${key}`)}`.trim()).toBe(stat.fingerprint);
      }
      expect(`${await github.git('show', 'HEAD:README.md')}`).toBe('Pictures.\n');
      await github.git('fsck', '--full', '--strict');
    }));

  test('makes few commits of many concurrent puts', () =>
    withStore(async (store, github) => {
      const before = await commits(github);
      const files = await Promise.all(Array.from({ length: 50 }, () => put(store)));
      expect((await commits(github)) - before).toBeLessThanOrEqual(5);
      expect((await keysOf(store)).sort()).toEqual(files.map(({ key }) => key).sort());
      for (const { key, data } of files)
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
      await github.git('fsck', '--full', '--strict');
    }));

  test('finds its own puts without a new listing', () =>
    withStore(async (store, github) => {
      await store.stat(ABSENT);
      const listed = asked(github, /git\/trees\//);
      for (let count = 0; count < 5; count++) {
        const { key, stat } = await put(store);
        expect(await store.stat(key)).toEqual(stat);
      }
      expect(asked(github, /git\/trees\//)).toBe(listed);
    }));

  test('makes no commit for existing files', () =>
    withStore(async (store, github) => {
      const { key, source } = await put(store);
      const before = await commits(github);
      await store.put(key, source);
      await store.delete(ABSENT);
      expect(await commits(github)).toBe(before);
    }));

  test('shows a put only after the branch has moved', () =>
    withStore(async (store, github) => {
      let during = '';
      const { key, source } = make(1000);
      github.failNext(/^PATCH/, async () => {
        during = `${await github.git('ls-tree', '-r', '--name-only', 'HEAD')}`;
      });
      await store.put(key, source);
      expect(during).not.toContain(key);
      expect(`${await github.git('ls-tree', '-r', '--name-only', 'HEAD')}`).toContain(key);
    }));

  test('commits deletions together with puts, and deletes only the given keys', () =>
    withStore(async (store, github) => {
      const files = await Promise.all(Array.from({ length: 4 }, () => put(store)));
      const before = await commits(github);
      const [gone, ...kept] = files;
      const [added] = await Promise.all([put(store), store.delete(gone?.key ?? ''), store.delete(ABSENT)]);
      expect((await commits(github)) - before).toBeLessThanOrEqual(2);
      expect((await keysOf(store)).sort()).toEqual([...kept, added].map(({ key }) => key).sort());
    }));

  describe('with other writers on the branch', () => {
    test('builds on commits that others have pushed meanwhile', () =>
      withStore(async (store, github) => {
        const foreign: string[] = [];
        const first = await put(store);
        github.failNext(/^PATCH/, async () => foreign.push(await github.commitBehindTheBack()), 2);
        const files = await Promise.all(Array.from({ length: 5 }, () => put(store)));
        expect(foreign).toHaveLength(2);
        for (const { key, data } of [first, ...files])
          expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
        for (const file of foreign) expect(`${await github.git('show', `HEAD:${file}`)}`).toBe(`${file}\n`);
        await github.git('fsck', '--full', '--strict');
      }));

    test.each([
      { status: 409, message: 'Conflict' },
      { status: 422, message: 'Update is not a fast forward' },
    ])('takes $status $message for a lost race', (answer) =>
      withStore(async (store, github) => {
        github.failNext(/^PATCH/, answer);
        const { key, data } = await put(store);
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
      }),
    );

    test('retries when a replica lacks the uploaded blob', () =>
      withStore(async (store, github) => {
        github.failNext(/POST .*trees/, { status: 422, message: 'tree.sha 01234567 is not a valid blob' });
        const { key, data } = await put(store);
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
      }));

    test('gives up at a rule of the repository', () =>
      withStore(async (store, github) => {
        github.failNext(
          /^PATCH/,
          { status: 422, message: 'Changes must be made through a pull request.' },
          9,
        );
        const failure = await failureOf(put(store));
        expect(failure).toBeInstanceOf(StoreError);
        expect(failure.message).toContain('Changes must be made through a pull request');
        expect(asked(github, /^PATCH/)).toBe(1);
      }));

    test('loses no file when two stores share a branch', () =>
      withStore(async (store, github) => {
        const other = await openStore(github, { name: 'other' });
        try {
          const rounds = await Promise.all(
            [store, other].map(async (each) => {
              const files = [];
              for (let round = 0; round < 4; round++)
                files.push(...(await Promise.all(Array.from({ length: 5 }, () => put(each)))));
              return files;
            }),
          );
          const files = rounds.flat();
          for (const { key, stat } of files) {
            expect(await store.stat(key)).toEqual(stat);
            expect(await other.stat(key)).toEqual(stat);
          }
          expect((await keysOf(store)).sort()).toEqual(files.map(({ key }) => key).sort());
          await github.git('fsck', '--full', '--strict');
        } finally {
          await other.close();
        }
      }));

    test('lets two stores begin one empty repository', () =>
      withStore(
        async (store, github) => {
          const other = await openStore(github, { name: 'other' });
          try {
            const files = await Promise.all([put(store), put(other), put(store), put(other)]);
            for (const { key, stat } of files) expect(await other.stat(key)).toEqual(stat);
          } finally {
            await other.close();
          }
        },
        {},
        { empty: true },
      ));

    test('sees the puts of another store at once, and its deletions soon', () =>
      withStore(async (store, github) => {
        const other = await openStore(github, { name: 'other' });
        try {
          expect(await store.stat(ABSENT)).toBeNull();
          const { key, stat } = await put(other);
          expect(await store.stat(key)).toEqual(stat);
          await other.delete(key);
          await eventually(async () => expect(await store.stat(key)).toBeNull());
        } finally {
          await other.close();
        }
      }));

    test('ignores an older head from a replica', () =>
      withStore(async (store, github) => {
        const before = `${await github.git('rev-parse', 'HEAD')}`.trim();
        const { key, stat } = await put(store);
        const after = `${await github.git('rev-parse', 'HEAD')}`.trim();
        // The replica lags behind.
        await github.git('update-ref', 'refs/heads/main', before);
        expect(await store.stat(ABSENT)).toBeNull();
        expect(await store.stat(key)).toEqual(stat);
        await github.git('update-ref', 'refs/heads/main', after);
        const second = await put(store);
        expect((await keysOf(store)).sort()).toEqual([key, second.key].sort());
      }));
  });

  describe('when a response is lost', () => {
    test('commits once if the response to the move of the branch is lost', () =>
      withStore(async (store, github) => {
        const before = await commits(github);
        github.failNext(/^PATCH/, 'reset-after');
        const { key, data } = await put(store);
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
        expect(await commits(github)).toBe(before + 1);
      }));

    test('commits once, even if another push comes before the retry', () =>
      withStore(async (store, github) => {
        const before = await commits(github);
        github.failNext(/^PATCH/, 'reset-after');
        github.failNext(/^PATCH/, () => github.commitBehindTheBack());
        const { key, data } = await put(store);
        expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
        expect(await commits(github)).toBe(before + 2);
      }));

    test.each(['reset', 'reset-after', 'cut', 'short', { status: 500 }, { status: 502 }] as const)(
      'asks again after %o, whatever it asked',
      (fault) =>
        withStore(async (store, github) => {
          for (const match of [
            /POST .*blobs/,
            /POST .*trees/,
            /POST .*commits/,
            /PATCH/,
            /GET .*branches/,
            /GET .*trees/,
          ])
            github.failNext(match, fault);
          const { key, stat, data } = await put(store);
          expect(await store.stat(key)).toEqual(stat);
          expect(await store.stat(ABSENT)).toBeNull();
          expect(await keysOf(store)).toEqual([key]);
          expect((await github.git('show', `HEAD:file-library/${key}`)).equals(data)).toBe(true);
        }),
    );

    test.each(['cut', 'short'] as const)('ends a stream in an error after %s', (fault) =>
      withStore(async (store, github) => {
        const { key, data } = await put(store, 500_000);
        github.failNext(/GET .*blobs/, fault);
        const failure = await failureOf(buffer((await store.open(key)).stream));
        expect(failure).toBeInstanceOf(StoreError);
        expect(failure.retryable).toBe(true);
        github.failNext(/GET .*blobs/, fault);
        const tail = { start: 400_000, end: 499_999 };
        await expect(buffer((await store.open(key, tail)).stream)).rejects.toThrow(StoreError);
        const head = { start: 0, end: 99_999 };
        github.failNext(/GET .*blobs/, fault);
        expect((await buffer((await store.open(key, head)).stream)).equals(data.subarray(0, 100_000))).toBe(
          true,
        );
      }),
    );

    test.each([/POST .*blobs/, /PATCH/, /GET .*branches/])('times out at %o', (match) =>
      withStore(
        async (store, github) => {
          github.failNext(match, 'hang');
          const started = Date.now();
          const failure = await failureOf(put(store));
          expect(failure).toBeInstanceOf(StoreError);
          expect(failure.message).toContain('silent for 1 seconds');
          expect(Date.now() - started).toBeLessThan(5000);
          await put(store);
        },
        { timeoutSeconds: 1 },
      ),
    );

    test('closes the request of a stream that is not read, or not to its end', () =>
      withStore(async (store, github) => {
        const { key } = await put(store, 3_000_000);
        github.failNext(/GET .*blobs/, 'cut');
        const unread = await store.open(key);
        await new Promise((resolve) => setTimeout(resolve, 50));
        unread.stream.destroy();
        const { stream } = await store.open(key);
        for await (const _ of stream) break;
        expect(stream.destroyed).toBe(true);
      }));
  });

  describe('when the rate is limited', () => {
    test.each([
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 403, message: 'You have exceeded a secondary rate limit.', headers: { 'retry-after': '1' } },
      {
        status: 403,
        message: 'API rate limit exceeded',
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' },
      },
    ])('waits for one that passes in seconds: $status $message', (answer) =>
      withStore(async (store, github) => {
        github.failNext(/POST .*blobs/, answer);
        const started = Date.now();
        const { key, stat } = await put(store);
        expect(Date.now() - started).toBeGreaterThanOrEqual(990);
        expect(await store.stat(key)).toEqual(stat);
      }),
    );

    test.each([
      { status: 429, headers: { 'retry-after': '90' } },
      { status: 403, message: 'You have exceeded a secondary rate limit. Please wait a few minutes.' },
      {
        status: 403,
        message: 'API rate limit exceeded',
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4102444800' },
      },
    ])('says until when one lasts, and asks nothing before: $status $message', (answer) =>
      withStore(async (store, github) => {
        const { key } = await put(store);
        await store.stat(ABSENT);
        github.failNext(/GET .*branches/, answer);
        const failure = await failureOf(store.stat(ABSENT));
        expect(failure).toBeInstanceOf(StoreError);
        expect(failure.retryable).toBe(true);
        expect(failure.message).toMatch(/limits the rate until \d{4}-\d\d-\d\dT[\d:]+Z/);
        const count = github.requests.length;
        await expect(store.stat(ABSENT)).rejects.toThrow(/limits the rate until/);
        await expect(store.open(key)).rejects.toThrow(/limits the rate until/);
        await expect(put(store)).rejects.toThrow(/limits the rate until/);
        expect(github.requests).toHaveLength(count);
      }),
    );
  });

  describe('is unreachable, and reports no file as missing,', () => {
    async function expectUnreachable(store: GithubStore, words: RegExp) {
      for (const failure of [
        await failureOf(store.stat(ABSENT)),
        await failureOf(store.open(ABSENT)),
        await failureOf(store.delete(ABSENT)),
        await failureOf(put(store)),
        await failureOf(keysOf(store)),
      ]) {
        expect(failure).toBeInstanceOf(StoreError);
        expect(failure).not.toBeInstanceOf(NotFoundError);
        expect(failure.message).toMatch(words);
        // Its cause, and other properties that a log may print, do not contain the token either.
        expect(inspect(failure, { depth: 20, showHidden: true })).not.toContain(TOKEN);
      }
    }

    test('with a wrong token, which no error contains', () =>
      withStore((store) => expectUnreachable(store, /does not accept the token \(401 Bad credentials\)/), {
        token: TOKEN,
      }));

    test('without the repository', () =>
      withStore((store) => expectUnreachable(store, /404 Not Found/), { repository: 'octocat/elsewhere' }));

    test('without the branch, which it does not create beside others', () =>
      withStore(
        async (store, github) => {
          await expectUnreachable(store, /no branch trunk; create it/);
          expect(`${await github.git('for-each-ref', '--format=%(refname)')}`).toBe('refs/heads/main\n');
        },
        { branch: 'trunk' },
      ));

    test('when the branch is deleted meanwhile', () =>
      withStore(async (store, github) => {
        await put(store);
        await store.stat(ABSENT);
        await github.git('update-ref', 'refs/heads/other', 'HEAD');
        await github.git('update-ref', '-d', 'refs/heads/main');
        await expectUnreachable(store, /no branch main any more/);
        await github.git('update-ref', '-d', 'refs/heads/other');
        await expectUnreachable(store, /no branch main any more/);
      }));

    test('when the server is down', () =>
      withStore((store) => expectUnreachable(store, /could not be asked: .*ECONNREFUSED/), {
        apiUrl: 'http://127.0.0.1:65535',
        token: TOKEN,
      }));

    test('when the repository was moved', () =>
      withStore(async (store, github) => {
        const moved = {
          status: 301,
          message: 'Moved Permanently',
          headers: { location: `${github.apiUrl}/repositories/1` },
        };
        github.failNext(/./, moved, 99);
        await expectUnreachable(store, /renamed or moved/);
        expect(github.requests.filter((request) => request.includes('repositories'))).toEqual([]);
      }));
  });

  test('reports every file of an empty repository as absent', () =>
    withStore(
      async (store) => {
        expect(await store.stat(ABSENT)).toBeNull();
        await expect(store.open(ABSENT)).rejects.toThrow(NotFoundError);
        await expect(store.delete(ABSENT)).resolves.toBeUndefined();
        expect(await keysOf(store)).toEqual([]);
      },
      {},
      { empty: true },
    ));

  test('accepts a branch and a directory with slashes', () =>
    withStore(
      async (store, github) => {
        const { key, data, stat } = await put(store);
        expect(await store.stat(key)).toEqual(stat);
        expect(await keysOf(store)).toEqual([key]);
        expect((await github.git('show', `keep/here:a/b/${key}`)).equals(data)).toBe(true);
      },
      { directory: 'a/b/' },
      { branch: 'keep/here' },
    ));

  test('lists objects only', () =>
    withStore(async (store, github) => {
      const { key } = await put(store);
      await github.commitBehindTheBack();
      expect(await keysOf(store)).toEqual([key]);
    }));

  test('fails if GitHub returns another hash for the bytes', () =>
    withStore(async (store, github) => {
      github.failNext(/POST .*blobs/, { status: 201 });
      const failure = await failureOf(put(store));
      expect(failure.message).toMatch(/GitHub keeps it as/);
      expect(await keysOf(store)).toEqual([]);
    }));

  test('refuses a file above the limit of GitHub before a byte is sent', () =>
    withStore(async (store, github) => {
      const source = { ...sourceOf(Buffer.from('x')), bytes: store.maxBytes + 1 };
      const failure = await failureOf(store.put(keyOf(source.sha256, 'image/png'), source));
      expect(failure).toBeInstanceOf(StoreError);
      expect(failure.retryable).toBe(false);
      expect(asked(github, /POST/)).toBe(0);
    }));

  test('closes every source, also after a refusal', () =>
    withStore(async (store, github) => {
      const opened: Readable[] = [];
      const { source, key } = make(3_000_000);
      const counted = {
        ...source,
        open() {
          const stream = source.open();
          opened.push(stream);
          return stream;
        },
      };
      github.failNext(/POST .*blobs/, 'reset');
      github.failNext(/POST .*blobs/, { status: 401 });
      await expect(store.put(key, counted)).rejects.toThrow(StoreError);
      expect(opened).toHaveLength(2);
      expect(opened.every((stream) => stream.destroyed)).toBe(true);
    }));

  test('fails only the put whose source breaks off', () =>
    withStore(async (store) => {
      const broken = { ...sourceOf(randomBytes(1000)), open: () => Readable.from([randomBytes(10)]) };
      const outcomes = await Promise.allSettled([
        put(store),
        store.put(keyOf(broken.sha256, 'image/png'), broken),
        put(store),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    }));

  test('returns public URLs only for a public repository', async () => {
    const rawUrl = 'https://raw.example.com';
    await withStore(
      async (store, github) => {
        const expected = `https://raw.example.com/${github.repository}/main/file-library/${ABSENT}`;
        await eventually(() => expect(store.rawUrl(ABSENT)).toBe(expected));
      },
      { rawUrl },
      { private: false },
    );
    await withStore(
      async (store, github) => {
        await eventually(() => expect(asked(github, /^GET \/repos\/[^/]+\/[^/]+$/)).toBe(1));
        await store.stat(ABSENT);
        expect(store.rawUrl(ABSENT)).toBeNull();
      },
      { rawUrl },
      { private: true },
    );
  });

  test('finishes running writes before it closes, and refuses later ones', () =>
    withStore(async (store, github) => {
      const putting = put(store);
      await store.close();
      const { key } = await putting;
      expect(`${await github.git('ls-tree', '-r', '--name-only', 'HEAD')}`).toContain(key);
      await expect(put(store)).rejects.toThrow(StoreError);
    }));

  test('refuses keys that lead out of its directory', () =>
    withStore(async (store) => {
      for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '.hidden', 'a/.b', 'a\0b', ''])
        await expect(store.stat(key), JSON.stringify(key)).rejects.toThrow(TypeError);
    }));

  test.each([{ repository: 'pictures' }, { repository: 'a/b/c' }, { branch: 'a b' }, { directory: '../x' }])(
    'says at once that %o cannot be',
    async (wrong) => {
      const options = { name: 'github', token: 'x', repository: 'a/b', branch: 'main', ...wrong };
      await expect(openGithubStore(options)).rejects.toThrow(StoreError);
    },
  );
});
