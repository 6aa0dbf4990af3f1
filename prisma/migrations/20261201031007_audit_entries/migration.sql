-- CreateTable
CREATE TABLE "audit_entries" (
    "id" BIGSERIAL NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor_kind" VARCHAR(10) NOT NULL,
    "actor_name" VARCHAR(255) NOT NULL,
    "action" VARCHAR(40) NOT NULL,
    "subject_type" VARCHAR(20) NOT NULL,
    "subject_id" VARCHAR(64) NOT NULL,
    "details" JSON,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "idx_audit_entries_created_at" ON "audit_entries"("created_at");

-- CreateIndex
CREATE INDEX "idx_audit_entries_subject_id" ON "audit_entries"("subject_id", "id");

-- CreateIndex
CREATE INDEX "idx_audit_entries_actor_name" ON "audit_entries"("actor_name", "id");

-- CreateIndex
CREATE INDEX "idx_audit_entries_action" ON "audit_entries"("action", "id");
