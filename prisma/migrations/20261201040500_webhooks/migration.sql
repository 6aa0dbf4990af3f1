-- Webhooks (src/webhook/, docs/webhooks.md). Triggers write what happened into webhook_outbox, in the
-- transaction of the change. A server turns the rows of the outbox into events and deliveries.
CREATE TABLE "webhooks" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "url" TEXT NOT NULL,
    "description" VARCHAR(255) NOT NULL DEFAULT '',
    "event_types" TEXT[],
    "filter" JSON,
    "secret" TEXT NOT NULL,
    "previous_secret" TEXT,
    "previous_secret_until" TIMESTAMPTZ(6),
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "disabled_reason" TEXT,
    "failing_since" TIMESTAMPTZ(6),
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "webhook_outbox" (
    "id" BIGSERIAL NOT NULL,
    "type" VARCHAR(40) NOT NULL,
    "data" JSON NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhook_outbox_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "webhook_events" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "type" VARCHAR(40) NOT NULL,
    "payload" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "webhook_events_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "idx_webhook_events_created_at" ON "webhook_events"("created_at");

CREATE TABLE "webhook_deliveries" (
    "id" UUID NOT NULL DEFAULT fixative_uuid_v7(),
    "webhook_id" UUID NOT NULL,
    "event_id" UUID NOT NULL,
    "state" VARCHAR(10) NOT NULL DEFAULT 'PENDING',
    "tries" INTEGER NOT NULL DEFAULT 0,
    "claims" INTEGER NOT NULL DEFAULT 0,
    "next_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "attempts" JSON NOT NULL DEFAULT '[]',
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(6),

    CONSTRAINT "webhook_deliveries_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "webhook_deliveries_webhook_id_fkey" FOREIGN KEY ("webhook_id")
      REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE RESTRICT,
    CONSTRAINT "webhook_deliveries_event_id_fkey" FOREIGN KEY ("event_id")
      REFERENCES "webhook_events"("id") ON DELETE CASCADE ON UPDATE RESTRICT
);

CREATE UNIQUE INDEX "idx_webhook_deliveries_webhook_id" ON "webhook_deliveries"("webhook_id", "event_id");
CREATE INDEX "idx_webhook_deliveries_event_id" ON "webhook_deliveries"("event_id");
CREATE INDEX "idx_webhook_deliveries_due" ON "webhook_deliveries"("webhook_id", "next_at") WHERE "state" = 'PENDING';

-- Blobs whose last report said that copies are missing. A row goes when all copies are healthy again.
CREATE TABLE "webhook_durability" (
    "blob_id" BIGINT NOT NULL,
    "is_lost" BOOLEAN NOT NULL,

    CONSTRAINT "webhook_durability_pkey" PRIMARY KEY ("blob_id")
);

-- Stores that are away. The first server that notices an outage adds the row, and reports it.
CREATE TABLE "webhook_outages" (
    "store" VARCHAR(50) NOT NULL,
    "since" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhook_outages_pkey" PRIMARY KEY ("store")
);

-- The functions name our schema, and run with the rights of the owner: other services, whose search_path may
-- be another, write generated_images too. Without an enabled webhook each costs one look at an empty table.
DO $$
BEGIN
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_event"(event_type text, event_data json) RETURNS void LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      INSERT INTO %1$I.webhook_outbox (type, data)
        SELECT event_type, event_data WHERE EXISTS (SELECT FROM %1$I.webhooks WHERE enabled);
      IF FOUND THEN PERFORM pg_notify('fixative_webhooks', ''); END IF;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_image"(image %1$I.generated_images) RETURNS json LANGUAGE sql STABLE
      SET search_path = pg_catalog, pg_temp AS $body$
      SELECT json_build_object('uuid', image.uuid, 'userId', image.user_id, 'tool', image.tool_name,
        'origin', image.origin, 'status', image.status, 'provider', image.provider, 'model', image.model,
        'tags', image.tags, 'visibility', image.visibility, 'requestId', image.request_id,
        'path', image.storage_url, 'mimeType', image.mime_type, 'bytes', image.bytes, 'sha256', image.sha256,
        'width', image.width, 'height', image.height, 'errorCode', image.error_code, 'error', left(image.error, 500),
        'retryable', image.error_retryable, 'createdAt', image.created_at)
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_inserted"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      IF EXISTS (SELECT FROM %1$I.webhooks WHERE enabled) THEN
        PERFORM %1$I.fixative_webhook_event(
            CASE image.status WHEN 'success' THEN 'image.succeeded' ELSE 'image.failed' END,
            %1$I.fixative_webhook_image(image.*::%1$I.generated_images))
          FROM added AS image
          WHERE image.status IN ('success', 'failed') AND image.part_of IS NULL AND image.deleted_at IS NULL;
      END IF;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_changed"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      IF NOT EXISTS (SELECT FROM %1$I.webhooks WHERE enabled) THEN RETURN NULL; END IF;
      IF TG_OP = 'DELETE' THEN
        PERFORM %1$I.fixative_webhook_event('image.deleted', %1$I.fixative_webhook_image(OLD));
        RETURN NULL;
      END IF;
      IF OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('success', 'failed') THEN
        PERFORM %1$I.fixative_webhook_event(
          CASE NEW.status WHEN 'success' THEN 'image.succeeded' ELSE 'image.failed' END,
          %1$I.fixative_webhook_image(NEW));
      END IF;
      IF OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL THEN
        PERFORM %1$I.fixative_webhook_event('image.deleted', %1$I.fixative_webhook_image(NEW));
      END IF;
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_copy"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      -- The server decides from all copies, after the commit, whether this changed the durability.
      PERFORM %1$I.fixative_webhook_event('copies', json_build_object('blobId', NEW.blob_id));
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
  EXECUTE format($f$
    CREATE FUNCTION "fixative_webhook_run"() RETURNS trigger LANGUAGE plpgsql
      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
      PERFORM %1$I.fixative_webhook_event('verify.finished', json_build_object('runId', NEW.id,
        'state', NEW.state, 'stores', NEW.stores, 'total', NEW.total, 'checked', NEW.checked, 'healthy', NEW.healthy,
        'missing', NEW.missing, 'corrupt', NEW.corrupt, 'unreachable', NEW.unreachable, 'failed', NEW.failed,
        'bytes', NEW.bytes, 'startedBy', NEW.started_by, 'startedAt', NEW.started_at, 'finishedAt', NEW.finished_at,
        'errorCode', NEW.error_code, 'error', left(NEW.error, 500)));
      RETURN NULL;
    END
    $body$
  $f$, current_schema());
END
$$;

CREATE TRIGGER "fixative_webhook_inserted" AFTER INSERT ON "generated_images"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "fixative_webhook_inserted"();

CREATE TRIGGER "fixative_webhook_updated" AFTER UPDATE OF status, deleted_at ON "generated_images" FOR EACH ROW
  WHEN (NEW.part_of IS NULL AND (OLD.status, OLD.deleted_at IS NULL) IS DISTINCT FROM (NEW.status, NEW.deleted_at IS NULL))
  EXECUTE FUNCTION "fixative_webhook_changed"();

CREATE TRIGGER "fixative_webhook_deleted" AFTER DELETE ON "generated_images" FOR EACH ROW
  WHEN (OLD.part_of IS NULL AND OLD.deleted_at IS NULL) EXECUTE FUNCTION "fixative_webhook_changed"();

CREATE TRIGGER "fixative_webhook_copy" AFTER UPDATE OF state ON "copies" FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND (OLD.state IN ('MISSING', 'CORRUPT') OR NEW.state IN ('MISSING', 'CORRUPT')))
  EXECUTE FUNCTION "fixative_webhook_copy"();

CREATE TRIGGER "fixative_webhook_run" AFTER UPDATE OF state ON "maintenance_runs" FOR EACH ROW
  WHEN (NEW.kind = 'VERIFY' AND OLD.state IN ('PENDING', 'RUNNING') AND NEW.state NOT IN ('PENDING', 'RUNNING'))
  EXECUTE FUNCTION "fixative_webhook_run"();
