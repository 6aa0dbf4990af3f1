/**
 * The port through which pictures are made. A provider turns one request into one picture; it knows nothing of users' rows,
 * stores or jobs. It does not retry: whoever calls decides, by the class of the error.
 */
export interface Provider {
  /** What `Image.provider` says: `sample`, `openai`. */
  readonly name: string;
  /** The models it serves as configured now, the first one its default. */
  readonly models: readonly Model[];

  /**
   * Makes one picture.
   * @throws ProviderError with a code that says whether another try makes sense (`retryable`).
   */
  generate(request: PictureRequest, signal: AbortSignal): Promise<Picture>;
}

/** What a model can do, as data; a request that does not fit is refused before it is sent, and so before it is paid for. */
export interface Model {
  readonly id: string;
  readonly provider: string;
  /** The sizes it takes: a list of `WIDTHxHEIGHT` in pixels, or any between two bounds. */
  readonly sizes: readonly string[] | { readonly minSide: number; readonly maxSide: number };
  readonly defaultSize: string;
  /** Empty where the model knows no such setting. */
  readonly qualities: readonly string[];
  readonly styles: readonly string[];
  /** In UTF-16 code units, as JavaScript counts. */
  readonly maxPromptLength: number;
}

/** Everything is checked against the model already (`checkRequest` in models.ts). */
export interface PictureRequest {
  readonly model: string;
  readonly prompt: string;
  /** `WIDTHxHEIGHT` in pixels. */
  readonly size: string;
  readonly quality: string | null;
  readonly style: string | null;
  /** An opaque mark of the end user, which providers ask for to trace abuse. */
  readonly user: string;
}

export interface Picture {
  /** The encoded file as the provider gave it. */
  readonly bytes: Uint8Array;
  /** The prompt that the provider used instead of ours, where it says so. */
  readonly revisedPrompt: string | null;
  /** The address that the provider handed out, where it did; it may have expired by now. */
  readonly originalUrl: string | null;
  /** What else the provider said: usage, ids, seed, warnings. Small, and JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
