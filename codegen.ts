import type { CodegenConfig } from '@graphql-codegen/cli';

/** A typed client for the documents of our own tests, as a front-end team makes one for theirs. */
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
          Upload: 'null',
        },
      },
    },
  },
};

export default config;
