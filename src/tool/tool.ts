/** A named preset for a purpose. Tools differ by data; `finish` changes the provider's picture. */
export interface Tool {
  /** Value of `Image.tool`. */
  readonly name: string;
  readonly description: string;
  /**
   * How a request becomes images:
   * - `pictures`: `n` images, each by a call of its own
   * - `comic`: one panel for each prompt of `panels`, composed into one page
   * - `story`: one image for each prompt of `pages`. The first is a reference for the others, if the model
   *   accepts references.
   * - `chart`: drawn by this server, without a provider
   */
  readonly plan: 'pictures' | 'comic' | 'story' | 'chart';
  /** Id of the model; null: the server's default. */
  readonly defaultModel: string | null;
  /** `WIDTHxHEIGHT` of the finished image; null: the model's. */
  readonly defaultSize: string | null;
  /**
   * Size for `chooseSize`, larger than the finished size when finishing needs more pixels; null: the finished
   * size.
   */
  readonly drawnSize: string | null;
  /** Whether the finished image is always square. */
  readonly square: boolean;
  /** Default background, used with models that support it; null: the model's default. */
  readonly background: 'transparent' | null;
  /** Number of references that a request needs and may have. */
  readonly references: { readonly min: number; readonly max: number };
  /** Whether the first reference may have a mask. */
  readonly mask: boolean;
  /** Highest `n` of a request. */
  readonly maxImages: number;
  /** Number of prompts for `panels` of a comic or `pages` of a story; null: the tool has no such list. */
  readonly parts: { readonly min: number; readonly max: number } | null;
  /** Returns the prompt for the provider. It begins with the client's prompt, unchanged. */
  prompt(request: ToolPrompt): string;
  /**
   * Makes the finished image from the provider's picture, which is kept beside it; null: the picture is the
   * image.
   */
  readonly finish: Finish | null;
  /** Returns the filename without its extension: letters, digits and dashes. */
  stem(facts: StemFacts): string;
}

export interface ToolPrompt {
  readonly prompt: string;
  /** Description of the character in all parts; null: none is given. */
  readonly character: string | null;
  /** Number of the panel or page, from 1; null for other images. */
  readonly position: number | null;
  /** Number of panels, pages or images of the request. */
  readonly count: number;
  /** Whether a reference is sent that the picture must be consistent with. */
  readonly hasReference: boolean;
}

export interface StemFacts {
  /** Time of the request, in milliseconds since 1970. */
  readonly epoch: number;
  /** Page of a story, or number among the `n` images of the request, from 1. */
  readonly position: number;
  readonly count: number;
  /** `WIDTHxHEIGHT` of the finished image; null: the model's. */
  readonly size: string | null;
  readonly model: string;
  /** Whether the image is made with a reference: one of the client's, or an earlier page. */
  readonly hasReference: boolean;
}

/**
 * Finishes a picture.
 * @param file path of the provider's picture, which is not changed
 * @param size `WIDTHxHEIGHT` of the finished image
 */
export type Finish = (file: string, size: string) => Promise<Finished>;

export interface Finished {
  readonly bytes: Uint8Array;
  /** Further forms of the image, stored as its parts: `128`. */
  readonly variants: readonly { readonly part: string; readonly bytes: Uint8Array }[];
  /** Stored in the image's metadata under `tool`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
