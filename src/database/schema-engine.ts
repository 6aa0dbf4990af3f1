/**
 * Loads Prisma's schema engine in WebAssembly, over a driver adapter. `prisma migrate` runs this engine as a
 * binary, which is a separate download for each platform. The WebAssembly build is an ordinary package, and
 * works on PGlite too.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type * as EngineModule from '@prisma/schema-engine-wasm/schema_engine_bg';

export type SchemaEngine = EngineModule.SchemaEngine;

/** Opens the engine on a database, with the text of schema.prisma. The caller must call `free`. */
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

// One instance for the process: the package's glue code has one module variable for it, and a second instance
// would replace the memory of the first.
let loading: Promise<typeof EngineModule> | undefined;

/**
 * Instantiates the engine. The package's own entry imports the .wasm file as a module, which Node does not
 * support.
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

// TypeScript has the types of this global only in the library `dom`.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
};
