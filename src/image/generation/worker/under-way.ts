import type { Database } from '../../../database/database.ts';
import { findGeneration } from '../generation.ts';

/** A generation that this process works on. */
export class UnderWay {
  readonly uuid: string;
  readonly #call = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  #callNumber: number | null = null;
  #kept: PromiseWithResolvers<void> | null = null;

  constructor(uuid: string) {
    this.uuid = uuid;
  }

  /** Aborts the call to the provider. */
  get signal(): AbortSignal {
    return this.#call.signal;
  }

  /** Number of the call that is under way; null: none is. */
  get callNumber(): number | null {
    return this.#callNumber;
  }

  /** Resolves when the call has failed, or its response is on the disk; null: no call was made. */
  get responseKept(): Promise<void> | null {
    return this.#kept?.promise ?? null;
  }

  /** Resolves when this process works on the generation no more. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  beginCall(number: number): void {
    this.#callNumber = number;
    this.#kept = Promise.withResolvers();
  }

  endCall(): void {
    this.#callNumber = null;
  }

  responseIsKept(): void {
    this.#kept?.resolve();
  }

  abortCall(): void {
    this.#call.abort();
  }

  end(): void {
    this.responseIsKept();
    this.#done.resolve();
  }
}

/** Generations that this process works on, by the id of their image. */
export interface GenerationsUnderWay {
  get(imageId: number): UnderWay | undefined;
  /** Does work on a generation, which is in this list meanwhile. */
  during(imageId: number, uuid: string, work: (underWay: UnderWay) => Promise<void>): Promise<void>;
  /**
   * Aborts the calls of generations that were cancelled or queued again.
   * @param uuid UUID of a changed image; null: any image may have changed.
   */
  onChange(uuid: string | null): void;
  /** Resolves when no call is under way and every response is on the disk. */
  responsesKept(): Promise<void>;
  /** Resolves when this process works on no generation. */
  idle(): Promise<void>;
}

export function makeGenerationsUnderWay(database: Database): GenerationsUnderWay {
  const entries = new Map<number, UnderWay>();

  return {
    get: (imageId) => entries.get(imageId),
    async during(imageId, uuid, work) {
      const underWay = new UnderWay(uuid);
      entries.set(imageId, underWay);
      try {
        await work(underWay);
      } finally {
        entries.delete(imageId);
        underWay.end();
      }
    },
    onChange(uuid) {
      for (const [imageId, underWay] of entries) {
        const { callNumber } = underWay;
        if (callNumber === null || (uuid !== null && underWay.uuid !== uuid)) continue;
        findGeneration(database, imageId).then(
          (now) => {
            if (now?.calls !== callNumber || now.state === 'cancelled' || now.state === 'queued')
              underWay.abortCall();
          },
          () => {},
        );
      }
    },
    async responsesKept() {
      await Promise.all([...entries.values()].map(({ responseKept }) => responseKept));
    },
    async idle() {
      while (entries.size > 0) await Promise.all([...entries.values()].map(({ done }) => done));
    },
  };
}
