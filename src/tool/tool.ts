import type { Model } from '../provider/provider.ts';

/** A named preset for a purpose, used through a provider. Differences between tools are data; what they do to pictures is in `finish`. */
export interface Tool {
  /** As `Image.tool` says it. */
  readonly name: string;
  readonly description: string;
  /**
   * How a request becomes images. `pictures`: `n` of them, each by a call of its own. `comic`: a panel for each prompt of `panels`,
   * composed into one page. `story`: a page for each prompt of `pages`, each an image, those behind the first drawn with the first as a
   * reference where the model takes one. `chart`: drawn here, without a provider.
   */
  readonly plan: 'pictures' | 'comic' | 'story' | 'chart';
  /** null: the server's default. */
  readonly defaultModel: string | null;
  /** `WIDTHxHEIGHT` of the finished image; null: the model's. */
  readonly defaultSize: string | null;
  /** What is given to `chooseSize` in place of the finished size, where finishing needs more to cut from; null: the finished size. */
  readonly drawnSize: string | null;
  /** The finished image is square, whatever the model makes. */
  readonly square: boolean;
  readonly background: 'transparent' | null;
  readonly references: { readonly min: number; readonly max: number };
  readonly mask: boolean;
  /** The highest `n`. */
  readonly maxImages: number;
  /** How many prompts the list of a plan that has one may hold: `panels` of a comic, `pages` of a story. */
  readonly parts: { readonly min: number; readonly max: number } | null;
  /** What is asked of the provider for what the user wrote. */
  prompt(asked: ToolPrompt): string;
  /** What is made of the provider's picture, which is kept beside it; null: nothing. */
  readonly finish: Finish | null;
  /** The stem of the filename; letters, digits, dashes, underscores. */
  stem(facts: StemFacts): string;
}

export interface ToolPrompt {
  readonly prompt: string;
  /** Of a story: who is in all pages. */
  readonly character: string | null;
  /** From 1; null for what is neither panel nor page. */
  readonly position: number | null;
  readonly count: number;
  /** Whether the picture that it is to be consistent with goes along. */
  readonly hasReference: boolean;
}

export interface StemFacts {
  /** Milliseconds since 1970, when the request came. */
  readonly epoch: number;
  /** From 1; the page of a story, otherwise the place among the `n` images of the request. */
  readonly position: number;
  readonly count: number;
  /** `WIDTHxHEIGHT` of the finished image; null: the model's. */
  readonly size: string | null;
  readonly model: string;
  /** Whether it is drawn with a reference: one of the user's, or an earlier page. */
  readonly hasReference: boolean;
}

/** @param file the path of the provider's picture; it is not changed. @param size `WIDTHxHEIGHT` that was asked for. */
export type Finish = (file: string, size: string) => Promise<Finished>;

export interface Finished {
  readonly bytes: Uint8Array;
  /** Kept beside it as parts: `128`. */
  readonly variants: readonly { readonly part: string; readonly bytes: Uint8Array }[];
  /** Goes into the metadata of the image under `tool`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Chooses what to ask a model for, so that a tool's size can be made of it: see size.ts. */
export type ChooseSize = (model: Model, wanted: string) => string;
