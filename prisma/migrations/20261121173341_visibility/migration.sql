-- AlterTable
ALTER TABLE "generated_images" ADD COLUMN     "visibility" VARCHAR(10) NOT NULL DEFAULT 'public';

-- What is private is found by its index; rows of other services are public.
CREATE INDEX "idx_generated_images_private" ON "generated_images" ("created_at", "id") WHERE "visibility" <> 'public';
