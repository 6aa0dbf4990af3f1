-- DropIndex
DROP INDEX "idx_copies_store_verified_at";

-- AlterTable
ALTER TABLE "copies" ADD COLUMN     "attempts" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "checked_at" TIMESTAMPTZ(6),
ADD COLUMN     "retry_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "seen_at" TIMESTAMPTZ(6);

-- Not to be said in schema.prisma. What is to be repaired, soonest first; what was looked at, longest ago first.
CREATE INDEX "idx_copies_retry_at" ON "copies"("retry_at") WHERE state <> 'STORED';

CREATE INDEX "idx_copies_seen" ON "copies"((coalesce("seen_at", '-infinity'::timestamptz)), "blob_id", "store");

CREATE INDEX "idx_copies_checked" ON "copies"((coalesce("checked_at", '-infinity'::timestamptz)), "blob_id", "store");
