-- The tags of the images that lists show, each in the order of time: so a page of a tag is read where it lies, of a user or of all, however
-- rare the tag is (src/image/walk.ts). Triggers keep it, for other services write images too.
CREATE TABLE "image_tags" (
    "user_id" VARCHAR(32) NOT NULL,
    "tag" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "image_id" BIGINT NOT NULL
);

-- Not to be said in schema.prisma. Tags of more than 400 bytes are left out: an index takes no more than 2,704, and the API no tag that is longer.
--
-- The functions run with the rights of their owner, for another service may write images and know nothing of this table. So every name in them
-- means what it means here, whatever others put into this schema or into their search path: only pg_catalog is looked into, and the
-- table is named with its schema.
DO $$
BEGIN
  EXECUTE format($f$
    CREATE FUNCTION "fixative_tag_inserted"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
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
    CREATE FUNCTION "fixative_tag_changed"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
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
    CREATE FUNCTION "fixative_tag_truncated"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      TRUNCATE %1$I.image_tags;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
END
$$;

-- From here on writers wait, until all of this is done.
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

INSERT INTO image_tags (user_id, tag, created_at, image_id)
  SELECT DISTINCT ON (i.id, tag) i.user_id, tag, i.created_at, i.id FROM generated_images i, unnest(i.tags) AS tag
  WHERE i.deleted_at IS NULL AND i.part_of IS NULL AND octet_length(tag) <= 400 ORDER BY i.id, tag;

ALTER TABLE "image_tags" ADD CONSTRAINT "image_tags_pkey" PRIMARY KEY ("user_id", "tag", "created_at", "image_id");

CREATE INDEX "idx_image_tags_tag" ON "image_tags"("tag", "created_at", "image_id");

-- Who made an image: what of it is rare is found by this index, what is common by looking at images in the order of the list.
CREATE INDEX "idx_generated_images_made_by" ON "generated_images"
  USING GIN ((ARRAY["tool_name", "model", "provider"::text, "origin"::text]));

-- What lists show of a user, in their order: a page is read from it and nothing else, and a count looks into no row of the table. With the index
-- by user and time alone PostgreSQL at times gathers all images of a user and sorts them, for the id is not in it.
CREATE INDEX "idx_generated_images_listed" ON "generated_images"("user_id", "created_at" DESC, "id" DESC) WHERE deleted_at IS NULL AND part_of IS NULL;

-- What the new index holds is known to the planner from the beginning.
ANALYZE "generated_images";
ANALYZE "image_tags";
