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
