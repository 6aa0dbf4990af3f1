/**
 * Prisma's schema engine in WebAssembly, over a driver adapter: the same engine that `prisma migrate` runs as
 * a binary, so the history it keeps in `_prisma_migrations` is Prisma's own, and an operator may use either.
 * The binary is a download of its own per platform; this one is a package like any other and works on PGlite
 * too.
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

// The package's glue keeps its one instance in a variable of the module; a second instance would pull the
// memory from under the first. So the one of the process is kept here.
let loading: Promise<typeof EngineModule> | undefined;

/** The package's own entry imports the .wasm file as a module, which Node does not do by itself. */
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

// TypeScript keeps the types of this global among those of a browser's document.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
};
