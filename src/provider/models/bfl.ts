import type { Model } from '../provider.ts';
import { type Shape, shapes } from './shape.ts';

/** A row of BFL_MODELS. */
export interface BflModel extends Model {
  /** Aspect ratios by size; null: the model takes width and height. */
  readonly shapes: Readonly<Record<string, Shape>> | null;
}

const FLUX = {
  provider: 'bfl',
  qualities: [],
  styles: [],
  maxPromptLength: 10_000,
  seeds: true,
  transparency: false,
  formats: ['png', 'jpeg'],
  // The response says what the picture cost.
  prices: [],
} as const;

const FLUX_2 = {
  ...FLUX,
  sizes: [
    '1024x1024',
    '1024x768',
    '768x1024',
    '1536x1024',
    '1024x1536',
    '1344x768',
    '768x1344',
    '1536x1536',
    '1920x1088',
    '1088x1920',
  ],
  defaultSize: '1024x1024',
  shapes: null,
  edits: { maxReferences: 8, mask: false },
} as const;

const KONTEXT_SHAPES = shapes({
  '1:1': '1024x1024',
  '4:3': '1184x880',
  '3:4': '880x1184',
  '3:2': '1248x832',
  '2:3': '832x1248',
  '16:9': '1392x752',
  '9:16': '752x1392',
  '21:9': '1568x672',
});

const KONTEXT = {
  ...FLUX,
  sizes: Object.keys(KONTEXT_SHAPES),
  defaultSize: '1024x1024',
  shapes: KONTEXT_SHAPES,
  edits: { maxReferences: 4, mask: false },
} as const;

const ULTRA_SHAPES = shapes({
  '1:1': '2048x2048',
  '4:3': '2368x1776',
  '3:4': '1776x2368',
  '3:2': '2496x1664',
  '2:3': '1664x2496',
  '16:9': '2752x1536',
  '9:16': '1536x2752',
});

/**
 * Models of Black Forest Labs as of 2026-11-21, with the default first. flux-pro-1.0-fill is not among them,
 * because it can only fill a masked picture of a given size.
 * @see https://docs.bfl.ai/
 */
export const BFL_MODELS: readonly BflModel[] = [
  { ...FLUX_2, id: 'flux-2-pro' },
  { ...FLUX_2, id: 'flux-2-max' },
  { ...FLUX_2, id: 'flux-2-flex' },
  { ...KONTEXT, id: 'flux-kontext-pro' },
  { ...KONTEXT, id: 'flux-kontext-max' },
  {
    ...FLUX,
    id: 'flux-pro-1.1-ultra',
    sizes: Object.keys(ULTRA_SHAPES),
    defaultSize: '2048x2048',
    shapes: ULTRA_SHAPES,
    edits: null,
  },
  {
    ...FLUX,
    id: 'flux-pro-1.1',
    sizes: ['1024x1024', '1024x768', '768x1024', '1344x768', '768x1344', '1440x960', '960x1440', '1440x1440'],
    defaultSize: '1024x1024',
    shapes: null,
    edits: null,
  },
];
