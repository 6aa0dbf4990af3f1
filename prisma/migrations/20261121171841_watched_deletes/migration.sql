-- CreateIndex
CREATE INDEX "idx_generation_requests_created_at" ON "generation_requests"("created_at");

-- Not to be said in schema.prisma. An image that is purged has changed as well.
CREATE TRIGGER "fixative_images_deleted" AFTER DELETE ON "generated_images"
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "fixative_notify_images"();
