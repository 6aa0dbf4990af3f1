/** Parameters that a generator stored in the picture that it made. */
export interface Recipe {
  readonly generator: string;
  readonly prompt?: string | null;
  readonly negativePrompt?: string | null;
  readonly model?: string | null;
  /** Decimal digits. */
  readonly seed?: string | null;
  readonly steps?: number | null;
  readonly sampler?: string | null;
  readonly cfgScale?: number | null;
}
