-- UUIDs of the images of a run: the result of a purge names an image that is gone.
ALTER TABLE "maintenance_items" ADD COLUMN "uuid" UUID;

-- Several bulk changes may be active at a time. Of every other kind, one is.
DROP INDEX "maintenance_runs_active";
CREATE UNIQUE INDEX "maintenance_runs_active" ON "maintenance_runs"("kind")
  WHERE state IN ('PENDING', 'RUNNING') AND kind <> 'BULK';
