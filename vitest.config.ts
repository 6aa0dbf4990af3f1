import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Packages load graphql as Node does, from its CommonJS entry; vite would take the other entry for us, and two graphqls do not mix.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    pool: 'forks',
    // An embedded database takes half a gigabyte, and the tests of one file share one.
    maxWorkers: 2,
    // graphql-js leaves such rejections behind in lists (src/main/command-line.ts), and the server lives on.
    onUnhandledError: (error) => !(error.name === 'GraphQLError' && 'path' in error),
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Tests wait for conditions on machines that may be busy.
    expect: { poll: { timeout: 60_000 } },
  },
});
