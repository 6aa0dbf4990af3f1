-- AlterTable
ALTER TABLE "blobs" ADD COLUMN     "condemned_at" TIMESTAMPTZ(6);

-- AlterTable
ALTER TABLE "generated_images" ADD COLUMN     "deleted_at" TIMESTAMPTZ(6);

-- CreateTable
CREATE TABLE "provenance" (
    "blob_id" BIGINT NOT NULL,
    "data" JSONB NOT NULL,
    "content_credentials" BOOLEAN NOT NULL,

    CONSTRAINT "provenance_pkey" PRIMARY KEY ("blob_id")
);

-- CreateTable
CREATE TABLE "tombstones" (
    "id" BIGSERIAL NOT NULL,
    "uuid" UUID NOT NULL,
    "user_id" VARCHAR(32) NOT NULL,
    "tool_name" TEXT NOT NULL,
    "filename" TEXT,
    "sha256" CHAR(64),
    "mime_type" VARCHAR(50),
    "bytes" INTEGER,
    "width" INTEGER,
    "height" INTEGER,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "deleted_at" TIMESTAMPTZ(6),
    "purged_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tombstones_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "import_records" (
    "source" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "image_id" BIGINT,
    "sha256" CHAR(64),
    "outcome" VARCHAR(20) NOT NULL,
    "detail" TEXT,
    "imported_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "import_records_pkey" PRIMARY KEY ("source","key")
);

-- CreateTable
CREATE TABLE "upload_targets" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "user_id" VARCHAR(32) NOT NULL,
    "kind" VARCHAR(20) NOT NULL,
    "filename" TEXT NOT NULL,
    "mime_type" VARCHAR(50) NOT NULL,
    "bytes" BIGINT NOT NULL,
    "sha256" CHAR(64),
    "record" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,
    "completed_at" TIMESTAMPTZ(6),
    "image_id" BIGINT,

    CONSTRAINT "upload_targets_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "tombstones_uuid_key" ON "tombstones"("uuid");

-- CreateIndex
CREATE INDEX "idx_tombstones_sha256" ON "tombstones"("sha256");

-- CreateIndex
CREATE INDEX "idx_import_records_image_id" ON "import_records"("image_id");

-- CreateIndex
CREATE INDEX "idx_upload_targets_image_id" ON "upload_targets"("image_id");

-- AddForeignKey
ALTER TABLE "provenance" ADD CONSTRAINT "provenance_blob_id_fkey" FOREIGN KEY ("blob_id") REFERENCES "blobs"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "import_records" ADD CONSTRAINT "import_records_image_id_fkey" FOREIGN KEY ("image_id") REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload_targets" ADD CONSTRAINT "upload_targets_image_id_fkey" FOREIGN KEY ("image_id") REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT;

-- Not to be said in schema.prisma. What is to be purged, removed or closed, longest ago first.
CREATE INDEX "idx_generated_images_deleted_at" ON "generated_images"("deleted_at") WHERE deleted_at IS NOT NULL;

CREATE INDEX "idx_blobs_condemned_at" ON "blobs"("condemned_at") WHERE condemned_at IS NOT NULL;

CREATE INDEX "idx_upload_targets_open" ON "upload_targets"("expires_at") WHERE completed_at IS NULL;
