/**
 * Builds what the server gives to the pages of others: two modules that each are one file, their types, and
 * the page of examples.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type InlineConfig, type Plugin } from 'vite';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

interface BuiltFile {
  readonly fileName: string;
  readonly source: string | Uint8Array;
}

const COMMON: InlineConfig = {
  configFile: false,
  root: here('.'),
  base: './',
  logLevel: 'warn',
};

async function run(config: InlineConfig): Promise<BuiltFile[]> {
  const outputs = [await build({ ...COMMON, ...config })].flat();
  return outputs.flatMap((each) =>
    'output' in each
      ? each.output.map((file) => ({
          fileName: file.fileName,
          source: file.type === 'chunk' ? file.code : file.source,
        }))
      : [],
  );
}

const module = (name: string, entry: string) =>
  run({
    build: {
      write: false,
      target: 'es2023',
      minify: 'oxc',
      lib: { entry: here(entry), formats: ['es'], fileName: () => name },
      rollupOptions: {
        external: ['react'],
        output: { minify: { compress: true, mangle: true, codegen: true } },
      },
    },
  });

const page = () =>
  run({
    build: {
      write: false,
      target: 'es2023',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rollupOptions: { input: here('robust-image.html') },
    },
  });

const types = (name: string) =>
  readFile(here(`declarations/${name}`), 'utf8').then((source) => ({ fileName: name, source }));

export async function buildRobustImage(): Promise<BuiltFile[]> {
  const built = await Promise.all([
    module('robust-image.js', 'robust-image.ts'),
    module('robust-image-react.js', 'react.ts'),
    page(),
    Promise.all(['robust-image.d.ts', 'robust-image-react.d.ts'].map(types)),
  ]);
  return built.flat();
}

/** Adds these files to the build of the gallery. */
export function robustImageFiles(): Plugin {
  return {
    name: 'fixative-robust-image',
    apply: 'build',
    async generateBundle(_options, bundle) {
      // The gallery has some of the pictures too. Their names contain the hash of the content.
      for (const file of await buildRobustImage())
        if (!bundle[file.fileName]) this.emitFile({ type: 'asset', ...file });
    },
  };
}
