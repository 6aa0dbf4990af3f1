-- The database of version 0.1.0, by subject: blobs and their copies, the store `database`, images and their
-- tags, generations, imports and uploads, purged images, API tokens, and values that servers share.
--
-- Indexes with a condition, an expression or INCLUDE, triggers, and checks cannot be written in
-- schema.prisma. Each such index is named in a comment of its model there.


-- UUIDs

-- Returns a UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then random bits. PostgreSQL has
-- uuidv7() from version 18 on. A default of the columns, because other services insert rows without a UUID.
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


-- Blobs: immutable bytes named by their SHA-256

CREATE TABLE "blobs" (
    "id" BIGSERIAL NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "bytes" BIGINT NOT NULL,
    "mime_type" VARCHAR(50) NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "thumbhash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "condemned_at" TIMESTAMPTZ(6),

    CONSTRAINT "blobs_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "blobs_sha256_key" ON "blobs"("sha256");

-- Blobs whose bytes are being removed, oldest first.
CREATE INDEX "idx_blobs_condemned_at" ON "blobs"("condemned_at") WHERE condemned_at IS NOT NULL;

-- Metadata that generators and cameras embedded in the bytes.
CREATE TABLE "provenance" (
    "blob_id" BIGINT NOT NULL,
    "data" JSONB NOT NULL,
    "content_credentials" BOOLEAN NOT NULL,

    CONSTRAINT "provenance_pkey" PRIMARY KEY ("blob_id"),
    CONSTRAINT "provenance_blob_id_fkey" FOREIGN KEY ("blob_id")
      REFERENCES "blobs"("id") ON DELETE CASCADE ON UPDATE RESTRICT
);

-- Tells listening servers the id of a blob whose facts have changed. Fixative itself never changes these
-- columns.
CREATE FUNCTION "fixative_notify_blobs"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('fixative_copies', OLD.id::text);
  RETURN NULL;
END
$$;

CREATE TRIGGER "fixative_blobs_updated" AFTER UPDATE OF sha256, bytes, mime_type, width, height ON "blobs"
  FOR EACH ROW
  EXECUTE FUNCTION "fixative_notify_blobs"();


-- Copies: one blob in one store

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
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "checked_at" TIMESTAMPTZ(6),
    "retry_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(6),
    "healed_at" TIMESTAMPTZ(6),

    CONSTRAINT "copies_pkey" PRIMARY KEY ("blob_id","store"),
    CONSTRAINT "copies_blob_id_fkey" FOREIGN KEY ("blob_id")
      REFERENCES "blobs"("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
    CONSTRAINT "copies_state_check"
      CHECK ("state" IN ('PENDING', 'STORED', 'MISSING', 'CORRUPT', 'TOO_LARGE'))
);

CREATE INDEX "idx_copies_store_state" ON "copies"("store", "state");

-- Copies to repair, soonest first.
CREATE INDEX "idx_copies_retry_at" ON "copies"("retry_at") WHERE state <> 'STORED';

-- Copies to verify, the longest unseen first. A copy that was never checked comes before all others.
CREATE INDEX "idx_copies_seen"
  ON "copies"((coalesce("seen_at", '-infinity'::timestamptz)), "blob_id", "store");

CREATE INDEX "idx_copies_checked"
  ON "copies"((coalesce("checked_at", '-infinity'::timestamptz)), "blob_id", "store");

-- Copies that were repaired since the last run of `verify`.
CREATE INDEX "idx_copies_healed_at" ON "copies"("healed_at") WHERE healed_at IS NOT NULL;

-- Records when a missing or corrupt copy became healthy again.
CREATE FUNCTION "fixative_note_healed"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.healed_at := now();
  RETURN NEW;
END
$$;

CREATE TRIGGER "fixative_copies_healed" BEFORE UPDATE OF state ON "copies" FOR EACH ROW
  WHEN (OLD.state IN ('MISSING', 'CORRUPT') AND NEW.state = 'STORED')
  EXECUTE FUNCTION "fixative_note_healed"();

-- Tells listening servers the id of a blob whose copy has changed, because they cache which copies are
-- healthy. A check that changes only times sends nothing.
CREATE FUNCTION "fixative_notify_copies"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('fixative_copies', OLD.blob_id::text);
  RETURN NULL;
END
$$;

CREATE TRIGGER "fixative_copies_updated" AFTER UPDATE ON "copies" FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.fingerprint IS DISTINCT FROM NEW.fingerprint
    OR OLD.key IS DISTINCT FROM NEW.key OR OLD.blob_id IS DISTINCT FROM NEW.blob_id)
  EXECUTE FUNCTION "fixative_notify_copies"();

CREATE TRIGGER "fixative_copies_deleted" AFTER DELETE ON "copies"
  FOR EACH ROW EXECUTE FUNCTION "fixative_notify_copies"();

-- Keys that a deletion may still be in flight for: nothing is stored under them meanwhile
-- (src/storage/retired-keys.ts).
CREATE TABLE "retired_keys" (
    "store" VARCHAR(50) NOT NULL,
    "key" TEXT NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "lock_id" UUID NOT NULL,
    "retired_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "retired_keys_pkey" PRIMARY KEY ("store","key")
);

CREATE INDEX "idx_retired_keys_sha256" ON "retired_keys"("sha256");

-- The start of the last run of `verify` in each store.
CREATE TABLE "verify_runs" (
    "store" VARCHAR(50) NOT NULL,
    "begun_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "verify_runs_pkey" PRIMARY KEY ("store")
);


-- The store `database`: an object is its chunks

CREATE TABLE "stored_objects" (
    "id" BIGSERIAL NOT NULL,
    "key" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "stored_objects_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "stored_objects_key_key" ON "stored_objects"("key");

CREATE TABLE "stored_chunks" (
    "object_id" BIGINT NOT NULL,
    "position" INTEGER NOT NULL,
    "data" BYTEA NOT NULL,

    CONSTRAINT "stored_chunks_pkey" PRIMARY KEY ("object_id","position"),
    CONSTRAINT "stored_chunks_object_id_fkey" FOREIGN KEY ("object_id")
      REFERENCES "stored_objects"("id") ON DELETE CASCADE ON UPDATE RESTRICT
);

-- Keeps chunks out of line and uncompressed: images do not compress, and a part of a chunk can be read alone.
ALTER TABLE "stored_chunks" ALTER COLUMN "data" SET STORAGE EXTERNAL;


-- Images

-- Other services read and write this table. They know the columns id, request_id, user_id, username,
-- tool_name, prompt, model, size, quality, style, n, storage_url, storage_provider, mime_type, bytes, sha256,
-- tags, status, error, metadata, message_id and created_at. Every other column has a default or is nullable,
-- so that their INSERT statements work.
CREATE TABLE "generated_images" (
    "id" BIGSERIAL NOT NULL,
    "uuid" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "request_id" TEXT,
    "user_id" VARCHAR(255) NOT NULL,
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
    "deleted_at" TIMESTAMPTZ(6),
    "parent_id" BIGINT,
    "part" VARCHAR(40),
    "part_of" BIGINT,
    "visibility" VARCHAR(10) NOT NULL DEFAULT 'public',
    "original_filename" VARCHAR(255),

    CONSTRAINT "generated_images_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "generated_images_blob_id_fkey" FOREIGN KEY ("blob_id")
      REFERENCES "blobs"("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
    CONSTRAINT "generated_images_parent_id_fkey" FOREIGN KEY ("parent_id")
      REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT,
    CONSTRAINT "generated_images_part_of_fkey" FOREIGN KEY ("part_of")
      REFERENCES "generated_images"("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
    CONSTRAINT "generated_images_status_check"
      CHECK ("status" IN ('success', 'failed', 'pending', 'processing'))
);

CREATE UNIQUE INDEX "generated_images_uuid_key" ON "generated_images"("uuid");

CREATE UNIQUE INDEX "generated_images_filename_key" ON "generated_images"("filename");

-- Indexes that other services rely on.
CREATE INDEX "idx_generated_images_user_id_created_at" ON "generated_images"("user_id", "created_at" DESC);

CREATE INDEX "idx_generated_images_request_id" ON "generated_images"("request_id");

CREATE INDEX "idx_generated_images_status" ON "generated_images"("status") WHERE status <> 'success';

CREATE INDEX "idx_generated_images_storage_url" ON "generated_images"("storage_url");

CREATE INDEX "idx_generated_images_metadata_gin" ON "generated_images" USING GIN ("metadata");

CREATE INDEX "idx_generated_images_tags_gin" ON "generated_images" USING GIN ("tags");

-- Look-ups.
CREATE INDEX "idx_generated_images_message_id" ON "generated_images"("message_id");

CREATE INDEX "idx_generated_images_sha256" ON "generated_images"("sha256");

CREATE INDEX "idx_generated_images_blob_id" ON "generated_images"("blob_id");

-- Edits of an image, newest first.
CREATE INDEX "idx_generated_images_parent_id" ON "generated_images"("parent_id", "id")
  WHERE parent_id IS NOT NULL;

CREATE UNIQUE INDEX "idx_generated_images_part_of" ON "generated_images"("part_of", "part")
  WHERE part_of IS NOT NULL;

-- Full-text search in prompts, and in file names, whose words are separated by `.`, `_` and `-` too.
CREATE INDEX "idx_generated_images_prompt_search"
  ON "generated_images" USING GIN (to_tsvector('simple', "prompt"));

CREATE INDEX "idx_generated_images_filename_search" ON "generated_images"
  USING GIN (to_tsvector('simple', translate("original_filename", '._-', '   '))) WHERE "original_filename" IS NOT NULL;

-- Tool, model, provider and origin in one index. It finds rare values; common ones are found by walking the
-- list order and filtering.
CREATE INDEX "idx_generated_images_made_by" ON "generated_images"
  USING GIN ((ARRAY["tool_name", "model", "provider"::text, "origin"::text]));

-- Lists of all users walk the first two columns. Statistics (imageStats) read the others too, in an
-- index-only scan. Ascending, although lists show the newest first: appending fills pages, whereas inserting
-- at the front left them half empty.
CREATE INDEX "idx_generated_images_created_at_id"
  ON "generated_images"("created_at", "id", "user_id", "tool_name", "status", "bytes", "deleted_at", "part_of");

-- Lists of one user, in list order. With idx_generated_images_user_id_created_at alone PostgreSQL sometimes
-- sorts all images of the user, because that index has no id.
CREATE INDEX "idx_generated_images_listed" ON "generated_images"("user_id", "created_at" DESC, "id" DESC)
  WHERE deleted_at IS NULL AND part_of IS NULL;

-- Images that lists leave out. A count is the count of all images less the count of these.
CREATE INDEX "idx_generated_images_hidden" ON "generated_images"("user_id")
  WHERE deleted_at IS NOT NULL OR part_of IS NOT NULL;

-- Private images; the rows of other services are public.
CREATE INDEX "idx_generated_images_private" ON "generated_images" ("created_at", "id")
  WHERE "visibility" <> 'public';

-- Images to purge, longest in the trash first.
CREATE INDEX "idx_generated_images_deleted_at" ON "generated_images"("deleted_at")
  WHERE deleted_at IS NOT NULL;

-- Lists ordered by size.
CREATE INDEX "idx_generated_images_bytes_id" ON "generated_images"((coalesce("bytes", 0)), "id");

-- Quotas of a user, counted in an index-only scan (src/image/ingest/quota.ts).
CREATE INDEX "idx_generated_images_user_id_origin"
  ON "generated_images"("user_id", "origin", "created_at", "bytes", "id");

-- Failed and pending images, which are few, listed and counted by user in an index-only scan.
CREATE INDEX "idx_generated_images_unsuccessful"
  ON "generated_images" ("user_id", "status", "created_at", "id")
  INCLUDE ("tool_name", "bytes", "deleted_at", "part_of") WHERE status <> 'success';

-- Images changed more than an hour after their creation, for subscriptions that resume after a disconnect.
-- New images are found by created_at. The times are compared without a zone, because arithmetic on
-- TIMESTAMPTZ is not immutable.
CREATE INDEX "idx_generated_images_changed_late" ON "generated_images" ("updated_at")
  WHERE ("updated_at" AT TIME ZONE 'UTC') > ("created_at" AT TIME ZONE 'UTC') + interval '1 hour';

-- Sets updated_at for the statements of other services, which do not set it.
CREATE FUNCTION "fixative_touch_image"() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;

CREATE TRIGGER "fixative_image_touched" BEFORE UPDATE ON "generated_images" FOR EACH ROW
  WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION "fixative_touch_image"();

-- Notifies listening servers of the uuids of changed images, also when another service changed them. Sends ''
-- when more than 100 changed at once.
CREATE FUNCTION "fixative_notify_images"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT count(*) FROM (SELECT 1 FROM changed LIMIT 101) AS few) > 100 THEN
    PERFORM pg_notify('fixative_images', '');
  ELSE
    PERFORM pg_notify('fixative_images', uuid::text) FROM changed;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER "fixative_images_inserted" AFTER INSERT ON "generated_images"
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "fixative_notify_images"();

CREATE TRIGGER "fixative_images_updated" AFTER UPDATE ON "generated_images"
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "fixative_notify_images"();

CREATE TRIGGER "fixative_images_deleted" AFTER DELETE ON "generated_images"
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "fixative_notify_images"();

-- Tells listening servers the former uuid of an image whose uuid changed, and '' when the table was
-- truncated.
CREATE FUNCTION "fixative_notify_former_images"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('fixative_images', '');
  ELSE
    PERFORM pg_notify('fixative_images', OLD.uuid::text);
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER "fixative_images_renamed" AFTER UPDATE OF uuid ON "generated_images" FOR EACH ROW
  WHEN (OLD.uuid IS DISTINCT FROM NEW.uuid) EXECUTE FUNCTION "fixative_notify_former_images"();

CREATE TRIGGER "fixative_images_truncated" AFTER TRUNCATE ON "generated_images" FOR EACH STATEMENT
  EXECUTE FUNCTION "fixative_notify_former_images"();


-- Tags of the images that lists show

-- A row for each tag of each image that is neither in the trash nor a part. Keys are in the order of time, so
-- that a page of any tag, of one user or of all users, is one index scan (src/image/list/page.ts).
-- Triggers maintain it, because other services write images too.
CREATE TABLE "image_tags" (
    "user_id" VARCHAR(255) NOT NULL,
    "tag" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "image_id" BIGINT NOT NULL,

    CONSTRAINT "image_tags_pkey" PRIMARY KEY ("user_id","tag","created_at","image_id")
);

CREATE INDEX "idx_image_tags_tag" ON "image_tags"("tag", "created_at", "image_id");

-- Tags of more than 400 bytes are left out: an index entry holds at most 2,704 bytes. The API accepts no
-- longer tags.
--
-- The functions run with the rights of their owner, because another service that writes images may have no
-- rights on this table. Their search path is therefore fixed to pg_catalog, and they name the table with its
-- schema: objects that others create cannot take the place of ours. The schema is that of the connection,
-- hence format().
DO $$
BEGIN
  EXECUTE format($f$
    CREATE FUNCTION "fixative_tag_inserted"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      INSERT INTO %1$I.image_tags (user_id, tag, created_at, image_id)
        SELECT added.user_id, tag, added.created_at, added.id FROM added, unnest(added.tags) AS tag
        WHERE added.deleted_at IS NULL AND added.part_of IS NULL AND octet_length(tag) <= 400
        ON CONFLICT DO NOTHING;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_tag_changed"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      DELETE FROM %1$I.image_tags
        WHERE user_id = OLD.user_id AND tag = ANY(OLD.tags) AND created_at = OLD.created_at AND image_id = OLD.id;
      IF TG_OP = 'UPDATE' AND NEW.deleted_at IS NULL AND NEW.part_of IS NULL THEN
        INSERT INTO %1$I.image_tags (user_id, tag, created_at, image_id)
          SELECT NEW.user_id, tag, NEW.created_at, NEW.id FROM unnest(NEW.tags) AS tag WHERE octet_length(tag) <= 400
          ON CONFLICT DO NOTHING;
      END IF;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_tag_truncated"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      TRUNCATE %1$I.image_tags;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
END
$$;

CREATE TRIGGER "fixative_tag_inserted" AFTER INSERT ON "generated_images"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "fixative_tag_inserted"();

CREATE TRIGGER "fixative_tag_updated" AFTER UPDATE ON "generated_images" FOR EACH ROW
  WHEN ((OLD.id, OLD.user_id, OLD.created_at, OLD.tags, OLD.deleted_at IS NULL AND OLD.part_of IS NULL)
    IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.created_at, NEW.tags, NEW.deleted_at IS NULL AND NEW.part_of IS NULL))
  EXECUTE FUNCTION "fixative_tag_changed"();

CREATE TRIGGER "fixative_tag_deleted" AFTER DELETE ON "generated_images" FOR EACH ROW
  WHEN (OLD.tags <> '{}') EXECUTE FUNCTION "fixative_tag_changed"();

CREATE TRIGGER "fixative_tag_truncated" AFTER TRUNCATE ON "generated_images"
  FOR EACH STATEMENT EXECUTE FUNCTION "fixative_tag_truncated"();


-- Generations

-- The work of making an image. The row is authoritative; a job of the queue (schema `pgboss`) only says when
-- to look at it.
CREATE TABLE "generations" (
    "image_id" BIGINT NOT NULL,
    "state" VARCHAR(20) NOT NULL,
    "work" VARCHAR(20) NOT NULL,
    "request" JSONB NOT NULL,
    "waits_for" BIGINT[] DEFAULT ARRAY[]::BIGINT[],
    "attempts" JSONB NOT NULL DEFAULT '[]',
    "calls" INTEGER NOT NULL DEFAULT 0,
    "answer" JSONB,
    "asked_at" TIMESTAMPTZ(6),
    "asked_by" VARCHAR(40),
    "run_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "generations_pkey" PRIMARY KEY ("image_id"),
    CONSTRAINT "generations_image_id_fkey" FOREIGN KEY ("image_id")
      REFERENCES "generated_images"("id") ON DELETE CASCADE ON UPDATE RESTRICT
);

CREATE INDEX "idx_generations_waits_for" ON "generations" USING GIN ("waits_for") WHERE state = 'waiting';

-- Generations that have not ended.
CREATE INDEX "idx_generations_open" ON "generations"("state")
  WHERE state IN ('waiting', 'queued', 'asking', 'answered');

-- Idempotency keys: the images of a request, by user and requestId.
CREATE TABLE "generation_requests" (
    "user_id" VARCHAR(255) NOT NULL,
    "request_id" TEXT NOT NULL,
    "fingerprint" CHAR(64) NOT NULL,
    "image_ids" BIGINT[],
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "generation_requests_pkey" PRIMARY KEY ("user_id","request_id")
);

CREATE INDEX "idx_generation_requests_created_at" ON "generation_requests"("created_at");

-- Generations of a user on a day (UTC), for quotas.
CREATE TABLE "generation_counts" (
    "user_id" VARCHAR(255) NOT NULL,
    "day" DATE NOT NULL,
    "generations" INTEGER NOT NULL,

    CONSTRAINT "generation_counts_pkey" PRIMARY KEY ("user_id","day")
);


-- Imports and uploads

-- Result of an importer for each item of a source. The next run continues from these records.
CREATE TABLE "import_records" (
    "source" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "image_id" BIGINT,
    "sha256" CHAR(64),
    "outcome" VARCHAR(20) NOT NULL,
    "detail" TEXT,
    "imported_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "import_records_pkey" PRIMARY KEY ("source","key"),
    CONSTRAINT "import_records_image_id_fkey" FOREIGN KEY ("image_id")
      REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT
);

CREATE INDEX "idx_import_records_image_id" ON "import_records"("image_id");

-- Addresses that clients may upload one file to.
CREATE TABLE "upload_targets" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "user_id" VARCHAR(255) NOT NULL,
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

    CONSTRAINT "upload_targets_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "upload_targets_image_id_fkey" FOREIGN KEY ("image_id")
      REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT
);

CREATE INDEX "idx_upload_targets_image_id" ON "upload_targets"("image_id");

-- Targets to close when they expire, soonest first.
CREATE INDEX "idx_upload_targets_open" ON "upload_targets"("expires_at") WHERE completed_at IS NULL;


-- Purged images

-- Records that remain of purged images, so that an import does not bring them back unasked. They hold no
-- prompt, tags or metadata.
CREATE TABLE "tombstones" (
    "id" BIGSERIAL NOT NULL,
    "uuid" UUID NOT NULL,
    "user_id" VARCHAR(255) NOT NULL,
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

CREATE UNIQUE INDEX "tombstones_uuid_key" ON "tombstones"("uuid");

CREATE INDEX "idx_tombstones_sha256" ON "tombstones"("sha256");


-- API tokens

CREATE TABLE "api_tokens" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "name" VARCHAR(100) NOT NULL,
    "hash" CHAR(64) NOT NULL,
    "start" VARCHAR(10) NOT NULL,
    "user_id" VARCHAR(255),
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(6),
    "last_used_at" TIMESTAMPTZ(6),
    "revoked_at" TIMESTAMPTZ(6),

    CONSTRAINT "api_tokens_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "api_tokens_hash_key" ON "api_tokens"("hash");


-- Values that all servers of this database share (src/database/shared-value.ts)

CREATE TABLE "shared_values" (
    "name" VARCHAR(50) NOT NULL,
    "value" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "shared_values_pkey" PRIMARY KEY ("name")
);
