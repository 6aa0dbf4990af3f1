-- Lists walk this index by time; figures (imageStats) find all they count in it, and look into no row of the table. It ascends, although
-- newest first is asked for: what is added at its end fills its pages, what was added at the front left them half empty.
DROP INDEX "idx_generated_images_created_at_id";

CREATE INDEX "idx_generated_images_created_at_id" ON "generated_images"("created_at", "id", "user_id", "tool_name", "status", "bytes", "deleted_at", "part_of");

-- The edits of an image, newest first.
DROP INDEX "idx_generated_images_parent_id";

CREATE INDEX "idx_generated_images_parent_id" ON "generated_images"("parent_id", "id") WHERE parent_id IS NOT NULL;
