-- Not to be said in schema.prisma. Servers remember which copies are healthy; what is only looked at again tells nobody.
CREATE FUNCTION "fixative_notify_copies"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('fixative_copies', OLD.blob_id::text);
  RETURN NULL;
END
$$;

CREATE TRIGGER "fixative_copies_updated" AFTER UPDATE ON "copies" FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.fingerprint IS DISTINCT FROM NEW.fingerprint OR OLD.key IS DISTINCT FROM NEW.key
    OR OLD.blob_id IS DISTINCT FROM NEW.blob_id)
  EXECUTE FUNCTION "fixative_notify_copies"();

CREATE TRIGGER "fixative_copies_deleted" AFTER DELETE ON "copies" FOR EACH ROW EXECUTE FUNCTION "fixative_notify_copies"();

CREATE FUNCTION "fixative_notify_blobs"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('fixative_copies', OLD.id::text);
  RETURN NULL;
END
$$;

-- Nobody changes these columns in the normal course of things.
CREATE TRIGGER "fixative_blobs_updated" AFTER UPDATE OF sha256, bytes, mime_type, width, height ON "blobs" FOR EACH ROW
  EXECUTE FUNCTION "fixative_notify_blobs"();

-- Names that images no longer have, and images that are gone all at once.
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
