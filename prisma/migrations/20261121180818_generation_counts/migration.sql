-- CreateTable
CREATE TABLE "generation_counts" (
    "user_id" VARCHAR(32) NOT NULL,
    "day" DATE NOT NULL,
    "generations" INTEGER NOT NULL,

    CONSTRAINT "generation_counts_pkey" PRIMARY KEY ("user_id","day")
);
