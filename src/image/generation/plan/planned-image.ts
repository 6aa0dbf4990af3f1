import type { Model, PictureFormat } from '../../../provider/provider.ts';
import type { Tool } from '../../../tool/tool.ts';
import type { GenerationKind, GenerationRequest } from '../generation.ts';

/** Request of a client to a tool and a model. */
export interface AskedGeneration {
  readonly prompt?: string | null | undefined;
  readonly size?: string | null | undefined;
  readonly quality?: string | null | undefined;
  readonly style?: string | null | undefined;
  readonly seed?: number | null | undefined;
  readonly background?: 'transparent' | null | undefined;
  readonly format?: PictureFormat | null | undefined;
  /** Number of images, for tools that make pictures. Default: 1. */
  readonly n?: number | null | undefined;
  /** Content of each panel of a comic. */
  readonly panels?: readonly string[] | null | undefined;
  /** Content of each page of a story. */
  readonly pages?: readonly string[] | null | undefined;
  /** Character that is in all panels or pages. */
  readonly character?: string | null | undefined;
  readonly chart?: unknown;
}

/**
 * An image to generate, before it has a row in the database. Other images are named by their index in the
 * plan.
 */
export interface PlannedImage {
  readonly prompt: string;
  readonly kind: GenerationKind;
  /** Request without its references and mask, which `recordPlan` adds. */
  readonly request: PlannedRequest;
  /** Images that must be ready before this one begins. */
  readonly waitsFor: readonly number[];
  /** The image that this is a part of; null: the client requested this image itself. */
  readonly partOf: { readonly index: number; readonly part: string } | null;
  /** Image to use as a further reference; null: none. */
  readonly refersTo: number | null;
}

export type PlannedRequest = Omit<GenerationRequest, 'references' | 'mask'>;

export interface PlanContext {
  readonly tool: Tool;
  /** null: the tool needs no model. */
  readonly model: Model | null;
  /** Number of references in the request. */
  readonly references: number;
  readonly hasMask: boolean;
  /** Format for models that can be asked for one, when the request has none. */
  readonly defaultFormat: PictureFormat | null;
  /** Time at which the request arrived, in milliseconds since 1970. */
  readonly epoch: number;
}
