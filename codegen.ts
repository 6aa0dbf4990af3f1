import type { CodegenConfig } from '@graphql-codegen/cli';

/** Types of the scalars. */
const scalars = {
  BigInt: 'number',
  DateTime: 'string',
  JSON: { input: 'unknown', output: 'any' },
  Upload: { input: 'File', output: 'never' },
};

const client = {
  preset: 'client',
  presetConfig: { fragmentMasking: false },
  config: { useTypeImports: true, enumsAsTypes: true, strictScalars: true, importExtension: '.ts', scalars },
} as const;

/**
 * Generates the typed clients of the gallery and of our own tests. To use it in a front end (docs/clients.md),
 * set `schema` to a copy of schema.graphql or to the address of the server, and change `documents` and the
 * directory.
 */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'src/web/generated/': { ...client, documents: ['src/web/documents/*.graphql'] },
    'test/generated/': { ...client, documents: ['test/documents/*.graphql'] },
    // Types that implement Node, which Apollo's InMemoryCache needs to match fragments.
    'test/generated/possible-types.ts': {
      plugins: ['fragment-matcher'],
      config: { useExplicitTyping: true },
    },
  },
};

export default config;
