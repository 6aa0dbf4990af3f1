import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import { robustImageFiles } from './robust-image/build.ts';

const fromRoot = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Pages, to which the server adds its path before it sends them. */
const PAGES = new Set(['index.html', 'robust-image.html']);

/**
 * Builds the gallery into `dist/web`. `npm ci` runs it; `npm run dev:web` serves the sources beside a server
 * on port 4000, or at FIXATIVE_URL.
 */
export default defineConfig({
  root: fromRoot('src/web'),
  // Addresses are relative to `<base>`, which the server sets to the path of PUBLIC_URL.
  base: './',
  oxc: { jsx: { runtime: 'automatic' } },
  build: {
    outDir: fromRoot('dist/web'),
    emptyOutDir: true,
    target: 'es2023',
    // The policy of the page forbids `data:` fonts and scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      // 'use client' at the top of a module speaks to servers that render React. There is none.
      onLog: (level, log, report) => log.code === 'MODULE_LEVEL_DIRECTIVE' || report(level, log),
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/graphql', '/images', '/generated', '/uploads', '/api', '/login', '/logout'].map((route) => [
        route,
        { target: process.env.FIXATIVE_URL ?? 'http://localhost:4000', changeOrigin: false },
      ]),
    ),
  },
  plugins: [robustImageFiles(), compressFiles()],
});

/** Writes `.br` and `.gz` beside each text file of the build. */
function compressFiles(): Plugin {
  return {
    name: 'fixative-compress-files',
    apply: 'build',
    async writeBundle({ dir = '' }) {
      const names = await readdir(dir, { recursive: true });
      const texts = names.filter((name) => /\.(js|css|svg|html)$/.test(name) && !PAGES.has(name));
      await Promise.all(
        texts.map(async (name) => {
          const file = path.join(dir, name);
          const content = await readFile(file);
          const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
          await writeFile(`${file}.br`, await promisify(brotliCompress)(content, best));
          await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: 9 }));
        }),
      );
    },
  };
}
