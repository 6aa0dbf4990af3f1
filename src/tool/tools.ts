/**
 * The table of tools. docs/tools.md describes them for users.
 *
 * Every prompt begins with the client's prompt, unchanged, so that a picture can be traced to it.
 */
import { InputError } from '../errors.ts';
import { finishAvatar } from './finish/avatar.ts';
import { finishIcon } from './finish/icon.ts';
import type { StemFacts, Tool, ToolPrompt } from './tool.ts';

/** Defaults of a tool: one picture, as the model makes it. */
const DEFAULTS = {
  plan: 'pictures',
  defaultModel: null,
  defaultSize: null,
  drawnSize: null,
  square: false,
  background: null,
  references: { min: 0, max: 0 },
  mask: false,
  maxImages: 10,
  parts: null,
  prompt: ({ prompt }) => prompt,
  finish: null,
} as const satisfies Partial<Tool>;

export const TOOLS: readonly Tool[] = [
  {
    ...DEFAULTS,
    name: 'generateUserImage',
    description: 'Generates an image from a prompt and keeps it as the model makes it.',
    stem: timestampedStem('image'),
  },
  {
    ...DEFAULTS,
    name: 'generateUserAvatar',
    description: 'Generates a square portrait for a profile, cropped around the face.',
    defaultSize: '512x512',
    square: true,
    prompt: withStyle(
      'A portrait for a profile picture: one subject, head and shoulders, looking at the viewer, in the middle of the frame with some room around the head; a calm background, soft light. No text, no frame.',
    ),
    finish: finishAvatar,
    stem: timestampedStem('avatar'),
  },
  {
    ...DEFAULTS,
    name: 'generateAnimeManga',
    description: 'Generates an illustration in the style of anime and manga.',
    prompt: withStyle(
      'An anime and manga illustration: clean ink lines, cel shading in clear colours, expressive eyes, dynamic composition, a detailed background. No text, no speech bubbles.',
    ),
    stem: timestampedStem('anime'),
  },
  {
    ...DEFAULTS,
    name: 'generateComic',
    description: 'Generates a comic page of one to six panels, each from its own prompt, as one image.',
    plan: 'comic',
    references: { min: 0, max: 4 },
    maxImages: 1,
    parts: { min: 1, max: 6 },
    prompt: comicPanel,
    stem: ({ epoch }) => `comic-${epoch}`,
  },
  {
    ...DEFAULTS,
    name: 'generateIconEmoji',
    description:
      'Generates an icon or emoji with a transparent background, and a small version of 128 pixels.',
    defaultSize: '256x256',
    drawnSize: '1024x1024',
    square: true,
    background: 'transparent',
    prompt: withStyle(
      'A single icon in the manner of an emoji: one simple subject with a bold, clear outline, few bright colours, soft shading, readable when small, in the middle of the frame and whole. Upon a plain, empty, evenly coloured or transparent background; no shadow on the ground, no text, no frame.',
    ),
    finish: finishIcon,
    stem: (facts) => numberedStem(`emoji-${facts.epoch}-${sideOf(facts.size)}`, facts),
  },
  {
    ...DEFAULTS,
    name: 'imageEditor',
    description: 'Edits one image: all of it, or only the transparent area of a mask.',
    references: { min: 1, max: 1 },
    mask: true,
    stem: timestampedStem('edit'),
  },
  {
    ...DEFAULTS,
    name: 'advancedImageEditingWithContext',
    description: 'Edits one image, with up to fifteen other images as context.',
    references: { min: 1, max: 16 },
    mask: true,
    prompt: ({ prompt }) =>
      `${prompt}\n\nEdit the first of the given images. The others are context: take from them what the words above ask for, and nothing else.`,
    stem: timestampedStem('context-edit'),
  },
  {
    ...DEFAULTS,
    name: 'renderChart',
    description: 'Draws a chart from rows of data or a Vega-Lite specification, without a model.',
    plan: 'chart',
    defaultSize: '1024x768',
    maxImages: 1,
    stem: ({ epoch }) => `chart-${epoch}`,
  },
  {
    ...DEFAULTS,
    name: 'storyIllustration',
    description: 'Generates one to ten pages of an illustrated story, with the same character on every page.',
    plan: 'story',
    references: { min: 0, max: 4 },
    maxImages: 1,
    parts: { min: 1, max: 10 },
    prompt: storyPage,
    stem: storyStem,
  },
  {
    ...DEFAULTS,
    name: 'stagedPhoto',
    description: 'Generates a photograph of an item in the scene that the prompt describes.',
    references: { min: 1, max: 4 },
    prompt: withStyle(
      'Place the item of the given photographs in this scene. The item stays exactly as it is: its shape, colours, material, labels and proportions. A realistic photograph: the light, shadows, reflections and perspective of the scene fall upon the item as well.',
    ),
    stem: timestampedStem('staged'),
  },
];

/** @throws InputError UNKNOWN_TOOL; the message lists the tools */
export function findTool(name: string): Tool {
  const tool = TOOLS.find((each) => each.name === name);
  if (tool) return tool;
  throw new InputError(
    'UNKNOWN_TOOL',
    `Tool ${JSON.stringify(name.slice(0, 100))} is unknown. Choose one of: ${TOOLS.map((each) => each.name).join(', ')}.`,
    { path: ['input', 'tool'] },
  );
}

function withStyle(style: string): Tool['prompt'] {
  return ({ prompt }) => `${prompt}\n\n${style}`;
}

function comicPanel({ prompt, character, position, count, hasReference }: ToolPrompt): string {
  return paragraphs(
    prompt,
    character && `The character: ${character}`,
    hasReference && 'The characters look exactly as in the given image: face, hair, clothes and colours.',
    `This is panel ${position ?? 1} of ${count} of a comic: bold ink outlines, flat colours with halftone shades, a clear action, the same style in every panel. The scene fills the whole image: no frame, no gutters, no speech bubbles, no text.`,
  );
}

function storyPage({ prompt, character, position, count, hasReference }: ToolPrompt): string {
  return paragraphs(
    prompt,
    character && `The character of the story: ${character}`,
    hasReference &&
      'The character and the style are exactly those of the given image: face, hair, clothes, colours and technique.',
    `This is page ${position ?? 1} of ${count} of an illustrated story for children: warm light, soft painted textures, one clear moment, the same style on every page. No text, no frame.`,
  );
}

function paragraphs(...texts: readonly (string | false | null)[]): string {
  return texts.filter(Boolean).join('\n\n');
}

function timestampedStem(prefix: string): Tool['stem'] {
  return (facts) => numberedStem(`${prefix}-${facts.epoch}`, facts);
}

function numberedStem(stem: string, { position, count }: StemFacts): string {
  return count > 1 ? `${stem}-${position}` : stem;
}

function sideOf(size: string | null): string {
  return size?.match(/^\d+/)?.[0] ?? '256';
}

/**
 * Returns the stem that clients for stories expect: `consistent-…` for a page that was made with a reference;
 * without one, `gptimg-…` for models of the gpt-image family and `story-…` for all others.
 */
function storyStem({ epoch, position, model, hasReference }: StemFacts): string {
  const withoutReference = /(^|\/)(gpt-image|chatgpt-image)/.test(model) ? 'gptimg' : 'story';
  return `${hasReference ? 'consistent' : withoutReference}-${epoch}-p${position}`;
}
