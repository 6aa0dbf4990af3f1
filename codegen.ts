import type { CodegenConfig } from '@graphql-codegen/cli';

/**
 * A typed client, as a front end takes it over (docs/clients.md): `schema` becomes a copy of schema.graphql or the server with a
 * token, `documents` and the directory are yours. Here it is for the documents of our own tests.
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
    // For Apollo's InMemoryCache, which matches fragments on Node by it.
    'test/generated/possible-types.ts': {
      plugins: ['fragment-matcher'],
      config: { useExplicitTyping: true },
    },
  },
};

export default config;
