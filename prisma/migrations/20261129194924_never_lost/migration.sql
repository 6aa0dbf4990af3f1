-- Keys to which a deletion may be on its way: nothing is put under them meanwhile (src/storage/retired-keys.ts).
CREATE TABLE "retired_keys" (
    "store" VARCHAR(50) NOT NULL,
    "key" TEXT NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "lock_id" UUID NOT NULL,
    "retired_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "retired_keys_pkey" PRIMARY KEY ("store","key")
);

CREATE INDEX "idx_retired_keys_sha256" ON "retired_keys"("sha256");

-- What all servers of this database are to agree on (src/database/shared-value.ts).
CREATE TABLE "shared_values" (
    "name" VARCHAR(50) NOT NULL,
    "value" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "shared_values_pkey" PRIMARY KEY ("name")
);
