import { makeSignal } from './signal.ts';

/** Widths of variants whose addresses need no signature (VARIANT_SIZES); empty until the server was asked. */
export const variantWidths = makeSignal<readonly number[]>([]);
