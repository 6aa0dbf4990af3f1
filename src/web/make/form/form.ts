import type { Draft, FieldName } from '../draft.ts';
import type { Model, Offers, Tool } from '../offers.ts';

/** The form as its fields see it. */
export interface Form {
  readonly draft: Draft;
  readonly set: (changes: Partial<Draft>) => void;
  readonly tool: Tool;
  /** The chosen model, or the default one. */
  readonly model: Model | undefined;
  readonly offers: Offers;
  readonly tools: readonly Tool[];
  readonly models: readonly Model[];
  /** Returns what is wrong with a field; undefined: nothing. */
  readonly faultOf: (field: FieldName) => string | undefined;
}
