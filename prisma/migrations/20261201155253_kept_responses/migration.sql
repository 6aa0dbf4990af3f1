-- Responses of providers that could not be stored at once. The bytes are pictures, which do not compress.
CREATE TABLE "kept_responses" (
    "uuid" UUID NOT NULL,
    "call" INTEGER NOT NULL,
    "said" JSON NOT NULL,
    "bytes" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "kept_responses_pkey" PRIMARY KEY ("uuid", "call")
);

ALTER TABLE "kept_responses" ALTER COLUMN "bytes" SET STORAGE EXTERNAL;
