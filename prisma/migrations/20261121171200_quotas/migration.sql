-- Quotas of a user are counted in this index alone (src/image/quota.ts).
CREATE INDEX "idx_generated_images_user_id_origin" ON "generated_images"("user_id", "origin", "created_at", "bytes", "id");
