-- UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then random bits. PostgreSQL has one of its own from 18 on.
-- SQL that other services hold inserts rows without naming it.
CREATE FUNCTION fixative_uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid
$$;

-- CreateTable
CREATE TABLE "generated_images" (
    "id" BIGSERIAL NOT NULL,
    "uuid" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "request_id" TEXT,
    "user_id" VARCHAR(32) NOT NULL,
    "username" TEXT,
    "tool_name" TEXT NOT NULL DEFAULT 'generateUserImage',
    "prompt" TEXT NOT NULL,
    "revised_prompt" TEXT,
    "origin" VARCHAR(20) NOT NULL DEFAULT 'recorded',
    "provider" VARCHAR(50),
    "model" TEXT,
    "size" VARCHAR(20),
    "quality" VARCHAR(20),
    "style" VARCHAR(20),
    "n" INTEGER DEFAULT 1,
    "filename" TEXT,
    "storage_url" TEXT NOT NULL DEFAULT '',
    "storage_provider" VARCHAR(50),
    "original_url" TEXT,
    "mime_type" VARCHAR(50),
    "bytes" INTEGER,
    "sha256" CHAR(64),
    "width" INTEGER,
    "height" INTEGER,
    "thumbhash" TEXT,
    "tags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "status" VARCHAR(20) NOT NULL DEFAULT 'success',
    "error" TEXT,
    "error_code" VARCHAR(40),
    "error_retryable" BOOLEAN,
    "metadata" JSONB,
    "message_id" TEXT,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "blob_id" BIGINT,

    CONSTRAINT "generated_images_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "blobs" (
    "id" BIGSERIAL NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "bytes" BIGINT NOT NULL,
    "mime_type" VARCHAR(50) NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "thumbhash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "blobs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "copies" (
    "blob_id" BIGINT NOT NULL,
    "store" VARCHAR(50) NOT NULL,
    "state" VARCHAR(10) NOT NULL,
    "key" TEXT NOT NULL,
    "bytes" BIGINT,
    "verified_at" TIMESTAMPTZ(6),
    "fingerprint" TEXT,
    "error" TEXT,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "copies_pkey" PRIMARY KEY ("blob_id","store")
);

-- CreateTable
CREATE TABLE "stored_objects" (
    "id" BIGSERIAL NOT NULL,
    "key" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "stored_objects_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "stored_chunks" (
    "object_id" BIGINT NOT NULL,
    "position" INTEGER NOT NULL,
    "data" BYTEA NOT NULL,

    CONSTRAINT "stored_chunks_pkey" PRIMARY KEY ("object_id","position")
);

-- CreateIndex
CREATE UNIQUE INDEX "generated_images_uuid_key" ON "generated_images"("uuid");

-- CreateIndex
CREATE UNIQUE INDEX "generated_images_filename_key" ON "generated_images"("filename");

-- CreateIndex
CREATE INDEX "idx_generated_images_user_id_created_at" ON "generated_images"("user_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "idx_generated_images_request_id" ON "generated_images"("request_id");

-- CreateIndex
CREATE INDEX "idx_generated_images_storage_url" ON "generated_images"("storage_url");

-- CreateIndex
CREATE INDEX "idx_generated_images_metadata_gin" ON "generated_images" USING GIN ("metadata");

-- CreateIndex
CREATE INDEX "idx_generated_images_tags_gin" ON "generated_images" USING GIN ("tags");

-- CreateIndex
CREATE INDEX "idx_generated_images_created_at_id" ON "generated_images"("created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "idx_generated_images_message_id" ON "generated_images"("message_id");

-- CreateIndex
CREATE INDEX "idx_generated_images_sha256" ON "generated_images"("sha256");

-- CreateIndex
CREATE INDEX "idx_generated_images_blob_id" ON "generated_images"("blob_id");

-- CreateIndex
CREATE UNIQUE INDEX "blobs_sha256_key" ON "blobs"("sha256");

-- CreateIndex
CREATE INDEX "idx_copies_store_state" ON "copies"("store", "state");

-- CreateIndex
CREATE INDEX "idx_copies_store_verified_at" ON "copies"("store", "verified_at");

-- CreateIndex
CREATE UNIQUE INDEX "stored_objects_key_key" ON "stored_objects"("key");

-- AddForeignKey
ALTER TABLE "generated_images" ADD CONSTRAINT "generated_images_blob_id_fkey" FOREIGN KEY ("blob_id") REFERENCES "blobs"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "copies" ADD CONSTRAINT "copies_blob_id_fkey" FOREIGN KEY ("blob_id") REFERENCES "blobs"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "stored_chunks" ADD CONSTRAINT "stored_chunks_object_id_fkey" FOREIGN KEY ("object_id") REFERENCES "stored_objects"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- What follows cannot be said in schema.prisma; each is named in a comment there.

CREATE INDEX "idx_generated_images_status" ON "generated_images"("status") WHERE status <> 'success';

CREATE INDEX "idx_generated_images_prompt_search" ON "generated_images" USING GIN (to_tsvector('simple', "prompt"));

CREATE INDEX "idx_generated_images_bytes_id" ON "generated_images"((coalesce("bytes", 0)), "id");

ALTER TABLE "generated_images" ADD CONSTRAINT "generated_images_status_check"
  CHECK ("status" IN ('success', 'failed', 'pending', 'processing'));

ALTER TABLE "copies" ADD CONSTRAINT "copies_state_check"
  CHECK ("state" IN ('PENDING', 'STORED', 'MISSING', 'CORRUPT'));

-- Images are compressed already: keep pieces as they are, out of line, so that they are neither squeezed on the way in nor
-- unpacked on the way out.
ALTER TABLE "stored_chunks" ALTER COLUMN "data" SET STORAGE EXTERNAL;
