-- A pinned image is kept by every retention policy. A constant default rewrites no rows.
ALTER TABLE "generated_images" ADD COLUMN "pinned" BOOLEAN NOT NULL DEFAULT false;

CREATE TABLE "retention_policies" (
    "name" VARCHAR(60) NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "rule" JSON NOT NULL,
    "source" VARCHAR(10) NOT NULL DEFAULT 'DATABASE',
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "retention_policies_pkey" PRIMARY KEY ("name"),
    CONSTRAINT "retention_policies_source_check" CHECK ("source" IN ('DATABASE', 'FILE'))
);
