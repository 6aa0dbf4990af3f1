-- Not to be said in schema.prisma. What has not succeeded is little, and each user asks for her own: it is counted and summed up here, and no row of
-- the table is looked into.
CREATE INDEX "idx_generated_images_unsuccessful" ON "generated_images" ("user_id", "status", "created_at", "id")
  INCLUDE ("tool_name", "bytes", "deleted_at", "part_of") WHERE status <> 'success';
