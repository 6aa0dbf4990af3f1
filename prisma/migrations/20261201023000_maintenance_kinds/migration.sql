-- Runs of further kinds. The kinds are a table of the server (image/maintenance/run.ts), so a new one needs
-- no migration.
ALTER TABLE "maintenance_runs"
    DROP CONSTRAINT "maintenance_runs_kind_check",
    ALTER COLUMN "kind" TYPE VARCHAR(20),
    ADD COLUMN "changed" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "skipped" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "result" JSON;

-- Images that a run has selected, with what became of each. A run that is interrupted continues with those
-- that have no outcome.
CREATE TABLE "maintenance_items" (
    "run_id" UUID NOT NULL,
    "image_id" BIGINT NOT NULL,
    "reason" VARCHAR(60),
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "outcome" VARCHAR(20),
    "detail" TEXT,

    CONSTRAINT "maintenance_items_pkey" PRIMARY KEY ("run_id", "image_id"),
    CONSTRAINT "maintenance_items_run_id_fkey" FOREIGN KEY ("run_id")
      REFERENCES "maintenance_runs"("id") ON DELETE CASCADE ON UPDATE RESTRICT
);
