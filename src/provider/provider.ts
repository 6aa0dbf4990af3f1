/**
 * The interface of every provider. A provider turns one request into one picture. It knows no rows, stores or
 * jobs, and it never retries: the caller decides that from the error.
 */
export interface Provider {
  /** Value of `Image.provider`, such as `sample` or `openai`. */
  readonly name: string;
  /** Models that this server can use, with the default model first. */
  readonly models: readonly Model[];

  /**
   * Makes one picture.
   * @throws ProviderError: `retryable` says whether another attempt may succeed, `paid` whether this one may
   *   be charged.
   */
  generate(request: PictureRequest, signal: AbortSignal): Promise<PictureResponse>;
}

/**
 * A model and its capabilities. A request that exceeds them is rejected before it is sent, so it costs no
 * money.
 */
export interface Model {
  readonly id: string;
  readonly provider: string;
  /** Sizes to choose from: a list of `WIDTHxHEIGHT` in pixels, or any size with sides within the bounds. */
  readonly sizes: readonly string[] | { readonly minSide: number; readonly maxSide: number };
  readonly defaultSize: string;
  /** Values of `quality`; empty when the model has no such setting. */
  readonly qualities: readonly string[];
  /** Values of `style`; empty when the model has no such setting. */
  readonly styles: readonly string[];
  /** In UTF-16 code units, as JavaScript counts them. */
  readonly maxPromptLength: number;
  /** Most references of an edit, and whether the first may be masked; null: the model cannot edit. */
  readonly edits: { readonly maxReferences: number; readonly mask: boolean } | null;
  /** Whether the model accepts a seed, which makes pictures repeatable. */
  readonly seeds: boolean;
  /** Whether the model can make a transparent background. */
  readonly transparency: boolean;
  /** Formats to choose from; empty when the provider decides. */
  readonly formats: readonly PictureFormat[];
  /**
   * Published prices of one picture. The first that matches the request applies; empty: none is published.
   */
  readonly prices: readonly Price[];
}

export const PICTURE_FORMATS = ['png', 'jpeg', 'webp'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** Price of one picture. A size or quality that is left out matches every request. */
export interface Price {
  readonly size?: string;
  readonly quality?: string;
  /** US dollars. */
  readonly usd: number;
}

/** A request that `checkRequest` (models.ts) has checked against the model. */
export interface PictureRequest {
  readonly model: string;
  readonly prompt: string;
  /** `WIDTHxHEIGHT` in pixels. */
  readonly size: string;
  readonly quality: string | null;
  readonly style: string | null;
  /** 0 to 2³¹ - 1; null: random. */
  readonly seed: number | null;
  readonly background: 'transparent' | null;
  /** null: the provider decides. */
  readonly format: PictureFormat | null;
  /** Pictures to work from. A request with at least one is an edit. */
  readonly references: readonly Attachment[];
  /**
   * Mask of the first reference: the model repaints it where the mask's alpha is 0. Both have the same size.
   * null: no mask.
   */
  readonly mask: Attachment | null;
  /** Opaque mark of the end user. Providers ask for it to trace abuse; empty: none is sent. */
  readonly user: string;
}

export interface Attachment {
  readonly bytes: Uint8Array;
  readonly mimeType: string;
}

/** One picture of a provider. Everything but its bytes is small. */
export interface PictureResponse {
  /**
   * The encoded file, or the URL from which it can be fetched until `expiresAt`; null: no expiry is known.
   */
  readonly picture:
    | { readonly bytes: Uint8Array }
    | { readonly address: string; readonly expiresAt: Date | null };
  /** Prompt that the provider used instead of ours; null: it named none. */
  readonly revisedPrompt: string | null;
  /**
   * Other facts from the provider, as JSON: usage, ids, `seed`, warnings; `costUsd` when the cost is known.
   */
  readonly metadata: Readonly<Record<string, unknown>>;
}
