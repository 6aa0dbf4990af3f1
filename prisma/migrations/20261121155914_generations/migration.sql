-- AlterTable
ALTER TABLE "generated_images" ADD COLUMN     "parent_id" BIGINT,
ADD COLUMN     "part" VARCHAR(40),
ADD COLUMN     "part_of" BIGINT;

-- CreateTable
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

    CONSTRAINT "generations_pkey" PRIMARY KEY ("image_id")
);

-- CreateTable
CREATE TABLE "generation_requests" (
    "user_id" VARCHAR(32) NOT NULL,
    "request_id" TEXT NOT NULL,
    "fingerprint" CHAR(64) NOT NULL,
    "image_ids" BIGINT[],
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "generation_requests_pkey" PRIMARY KEY ("user_id","request_id")
);

-- AddForeignKey
ALTER TABLE "generated_images" ADD CONSTRAINT "generated_images_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "generated_images"("id") ON DELETE SET NULL ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "generated_images" ADD CONSTRAINT "generated_images_part_of_fkey" FOREIGN KEY ("part_of") REFERENCES "generated_images"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "generations" ADD CONSTRAINT "generations_image_id_fkey" FOREIGN KEY ("image_id") REFERENCES "generated_images"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- Not to be said in schema.prisma.
CREATE INDEX "idx_generated_images_parent_id" ON "generated_images"("parent_id") WHERE parent_id IS NOT NULL;

CREATE UNIQUE INDEX "idx_generated_images_part_of" ON "generated_images"("part_of", "part") WHERE part_of IS NOT NULL;

-- What lists leave out; counts are all less these.
CREATE INDEX "idx_generated_images_hidden" ON "generated_images"("user_id") WHERE deleted_at IS NOT NULL OR part_of IS NOT NULL;

CREATE INDEX "idx_generations_waits_for" ON "generations" USING GIN ("waits_for") WHERE state = 'waiting';

CREATE INDEX "idx_generations_open" ON "generations"("state") WHERE state IN ('waiting', 'queued', 'asking', 'answered');

-- Says to whoever listens that images have changed, whoever changed them: their uuids, or '' when there are too many to name.
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
