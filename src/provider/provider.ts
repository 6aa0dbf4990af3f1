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
   * @throws ProviderError with a code, whether another try makes sense (`retryable`), and whether this one may be charged (`paid`).
   */
  generate(request: PictureRequest, signal: AbortSignal): Promise<Answer>;
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
  /** How many pictures may be given to it to work from, and whether one may be masked; null: it only makes new ones. */
  readonly edits: { readonly maxReferences: number; readonly mask: boolean } | null;
  /** Whether the same seed gives the same picture. */
  readonly seeds: boolean;
  /** Whether it can leave the background transparent when asked to. */
  readonly transparency: boolean;
  /** The formats that it can be asked for; empty where it decides itself. */
  readonly formats: readonly PictureFormat[];
  /** US dollars for one picture, where the provider publishes such a price; the first that matches the request holds. */
  readonly prices: readonly Price[];
}

export const PICTURE_FORMATS = ['png', 'jpeg', 'webp'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

export interface Price {
  readonly size?: string;
  readonly quality?: string;
  readonly usd: number;
}

/** Everything is checked against the model already (`checkRequest` in models.ts). */
export interface PictureRequest {
  readonly model: string;
  readonly prompt: string;
  /** `WIDTHxHEIGHT` in pixels. */
  readonly size: string;
  readonly quality: string | null;
  readonly style: string | null;
  /** 0 to 2³¹ - 1; null: by chance. */
  readonly seed: number | null;
  readonly background: 'transparent' | null;
  /** null: as the provider decides. */
  readonly format: PictureFormat | null;
  /** Pictures to work from; with one or more of them the request is an edit. */
  readonly references: readonly Attachment[];
  /** Where its alpha is 0, the first reference is to be painted anew; as large as that one. */
  readonly mask: Attachment | null;
  /** An opaque mark of the end user, which providers ask for to trace abuse. */
  readonly user: string;
}

export interface Attachment {
  readonly bytes: Uint8Array;
  readonly mimeType: string;
}

/** What a provider answers; small, but for the bytes. */
export interface Answer {
  /** The encoded file as the provider gave it, or the address at which it lies, which may expire. */
  readonly picture:
    | { readonly bytes: Uint8Array }
    | { readonly address: string; readonly expiresAt: Date | null };
  /** The prompt that the provider used instead of ours, where it says so. */
  readonly revisedPrompt: string | null;
  /** What else the provider said: usage, ids, `seed`, warnings; `costUsd` where it can be known. Small, and JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
