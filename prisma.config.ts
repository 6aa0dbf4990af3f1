import { defineConfig } from 'prisma/config';

// `prisma generate` never runs the schema engine, but its command line looks for the binary and would download it. Naming
// any executable keeps it offline; migrations use the same engine in WebAssembly (src/database/migrate.ts).
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://unused' },
});
