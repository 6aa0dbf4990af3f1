-- Runs of verify and restore that clients watch and cancel.
CREATE TABLE "maintenance_runs" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "kind" VARCHAR(10) NOT NULL,
    "state" VARCHAR(10) NOT NULL DEFAULT 'PENDING',
    "stores" TEXT[],
    "filter" JSON,
    "options" JSON NOT NULL,
    "started_by" TEXT NOT NULL,
    "total" INTEGER,
    "checked" INTEGER NOT NULL DEFAULT 0,
    "healthy" INTEGER NOT NULL DEFAULT 0,
    "missing" INTEGER NOT NULL DEFAULT 0,
    "corrupt" INTEGER NOT NULL DEFAULT 0,
    "unreachable" INTEGER NOT NULL DEFAULT 0,
    "restored" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "problems" JSON NOT NULL DEFAULT '[]',
    "error" TEXT,
    "error_code" VARCHAR(40),
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(6),
    "heartbeat_at" TIMESTAMPTZ(6),
    "finished_at" TIMESTAMPTZ(6),
    "cancel_requested_at" TIMESTAMPTZ(6),

    CONSTRAINT "maintenance_runs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "maintenance_runs_kind_check" CHECK ("kind" IN ('VERIFY', 'RESTORE')),
    CONSTRAINT "maintenance_runs_state_check"
      CHECK ("state" IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'STOPPED'))
);

-- One run of a kind is active at a time, over all servers.
CREATE UNIQUE INDEX "maintenance_runs_active" ON "maintenance_runs"("kind")
  WHERE state IN ('PENDING', 'RUNNING');
