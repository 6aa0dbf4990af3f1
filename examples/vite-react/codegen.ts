import type { CodegenConfig } from '@graphql-codegen/cli';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;

/** Generates types for the documents, from the schema of the running server. */
const config: CodegenConfig = {
  schema: [{ [`${FIXATIVE_URL}/graphql`]: { headers: { authorization: `Bearer ${FIXATIVE_TOKEN}` } } }],
  documents: ['src/*.graphql'],
  generates: {
    'src/generated/': {
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
          JSON: { input: 'unknown', output: 'unknown' },
          Upload: { input: 'File', output: 'never' },
        },
      },
    },
  },
};

export default config;
