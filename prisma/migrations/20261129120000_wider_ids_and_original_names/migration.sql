-- Ids of users as other systems have them: UUIDs, ARNs, addresses. A longer VARCHAR rewrites no table and no index. A trigger whose
-- condition names a column keeps the column's type from changing, so it is made again.
DROP TRIGGER "fixative_tag_updated" ON "generated_images";
ALTER TABLE "generated_images" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
CREATE TRIGGER "fixative_tag_updated" AFTER UPDATE ON "generated_images" FOR EACH ROW
  WHEN ((OLD.id, OLD.user_id, OLD.created_at, OLD.tags, OLD.deleted_at IS NULL AND OLD.part_of IS NULL)
    IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.created_at, NEW.tags, NEW.deleted_at IS NULL AND NEW.part_of IS NULL))
  EXECUTE FUNCTION "fixative_tag_changed"();
ALTER TABLE "image_tags" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
ALTER TABLE "api_tokens" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
ALTER TABLE "generation_counts" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
ALTER TABLE "generation_requests" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
ALTER TABLE "tombstones" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);
ALTER TABLE "upload_targets" ALTER COLUMN "user_id" SET DATA TYPE VARCHAR(255);

-- The name of the file as its sender wrote it, found by its words.
ALTER TABLE "generated_images" ADD COLUMN "original_filename" VARCHAR(255);
CREATE INDEX "idx_generated_images_filename_search" ON "generated_images"
  USING GIN (to_tsvector('simple', translate("original_filename", '._-', '   '))) WHERE "original_filename" IS NOT NULL;

-- A copy that its store does not take for its size is not tried.
ALTER TABLE "copies" DROP CONSTRAINT "copies_state_check", ADD CONSTRAINT "copies_state_check"
  CHECK ("state" IN ('PENDING', 'STORED', 'MISSING', 'CORRUPT', 'TOO_LARGE'));

-- What was changed since a time, for subscriptions that go on where they broke off: what was made since is found by created_at, and what was
-- changed later is little. In timestamps without a zone, for the arithmetic of the others is not immutable.
CREATE INDEX "idx_generated_images_changed_late" ON "generated_images" ("updated_at")
  WHERE ("updated_at" AT TIME ZONE 'UTC') > ("created_at" AT TIME ZONE 'UTC') + interval '1 hour';

-- Changes of other services, whose statements do not set it, count as well.
CREATE FUNCTION "fixative_touch_image"() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;
CREATE TRIGGER "fixative_image_touched" BEFORE UPDATE ON "generated_images" FOR EACH ROW
  WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION "fixative_touch_image"();
