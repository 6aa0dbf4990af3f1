/**
 * Prisma's schema engine in WebAssembly, over a driver adapter. It is the engine of `prisma migrate`, so both
 * keep the same history in `_prisma_migrations`, and an operator may use either. This one is a package and
 * works on PGlite; `prisma migrate` downloads a binary for each platform.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type * as EngineModule from '@prisma/schema-engine-wasm/schema_engine_bg';

export type SchemaEngine = EngineModule.SchemaEngine;

export async function openSchemaEngine(
  adapter: SqlMigrationAwareDriverAdapterFactory,
  schema: { path: string; text: string },
): Promise<SchemaEngine> {
  loading ??= loadEngine();
  const engine = await loading;
  return engine.SchemaEngine.new(
    { datamodels: [[schema.path, schema.text]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
}

// The package keeps its one instance in a module variable, and a second one would replace the first one's
// memory. So this process loads it once.
let loading: Promise<typeof EngineModule> | undefined;

/**
 * Loads the engine. The package's entry imports the .wasm file as a module, which Node does not support by
 * default.
 */
async function loadEngine(): Promise<typeof EngineModule> {
  const gluePath = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(path.join(path.dirname(gluePath), 'schema_engine_bg.wasm'));
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const { instance } = await WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': glue,
  });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue;
}

// TypeScript declares this global only in its DOM library.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
};
