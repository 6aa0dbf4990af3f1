import type { CodegenConfig } from '@graphql-codegen/cli';

/**
 * Generates a typed client for the documents of our own tests. To use it in a front end (docs/clients.md), set
 * `schema` to a copy of schema.graphql or to the address of the server, and change `documents` and the directory.
 */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['test/documents/*.graphql'],
  generates: {
    'test/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        importExtension: '.ts',
        scalars: {
          BigInt: 'number',
          DateTime: 'string',
          JSON: { input: 'unknown', output: 'any' },
          Upload: { input: 'File', output: 'never' },
        },
      },
    },
    // Types that implement Node, which Apollo's InMemoryCache needs to match fragments.
    'test/generated/possible-types.ts': {
      plugins: ['fragment-matcher'],
      config: { useExplicitTyping: true },
    },
  },
};

export default config;
