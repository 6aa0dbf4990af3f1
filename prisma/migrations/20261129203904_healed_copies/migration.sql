-- AlterTable
ALTER TABLE "copies" ADD COLUMN     "healed_at" TIMESTAMPTZ(6);

-- CreateTable
CREATE TABLE "verify_runs" (
    "store" VARCHAR(50) NOT NULL,
    "begun_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "verify_runs_pkey" PRIMARY KEY ("store")
);

-- Not to be said in schema.prisma.
CREATE INDEX "idx_copies_healed_at" ON "copies"("healed_at") WHERE healed_at IS NOT NULL;

CREATE FUNCTION "fixative_note_healed"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.healed_at := now();
  RETURN NEW;
END
$$;

CREATE TRIGGER "fixative_copies_healed" BEFORE UPDATE OF state ON "copies" FOR EACH ROW
  WHEN (OLD.state IN ('MISSING', 'CORRUPT') AND NEW.state = 'STORED')
  EXECUTE FUNCTION "fixative_note_healed"();
