/**
 * The tools that there are. What differs between them is in this table; docs/tools.md is its page for users.
 *
 * Every prompt keeps the user's words as they are and in front, so that what a model makes of them can be traced to them.
 */
import { InputError } from '../errors.ts';
import { finishAvatar } from './finish/avatar.ts';
import { finishIcon } from './finish/icon.ts';
import type { StemFacts, Tool, ToolPrompt } from './tool.ts';

/** What a tool is, where it does not say otherwise: a picture, as the model makes it. */
const PLAIN = {
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
    ...PLAIN,
    name: 'generateUserImage',
    description: 'An image from a prompt, as the model makes it.',
    stem: named('image'),
  },
  {
    ...PLAIN,
    name: 'generateUserAvatar',
    description: 'A square portrait for a profile, cut around the face.',
    defaultSize: '512x512',
    square: true,
    prompt: styled(
      'A portrait for a profile picture: one subject, head and shoulders, looking at the viewer, in the middle of the frame with some room around the head; a calm background, soft light. No text, no frame.',
    ),
    finish: finishAvatar,
    stem: named('avatar'),
  },
  {
    ...PLAIN,
    name: 'generateAnimeManga',
    description: 'An illustration in the style of anime and manga.',
    prompt: styled(
      'An anime and manga illustration: clean ink lines, cel shading in clear colours, expressive eyes, dynamic composition, a detailed background. No text, no speech bubbles.',
    ),
    stem: named('anime'),
  },
  {
    ...PLAIN,
    name: 'generateComic',
    description:
      'A comic page of one to six panels, each drawn from a prompt of its own and composed into one image.',
    plan: 'comic',
    references: { min: 0, max: 4 },
    maxImages: 1,
    parts: { min: 1, max: 6 },
    prompt: comicPanel,
    stem: ({ epoch }) => `comic-${epoch}`,
  },
  {
    ...PLAIN,
    name: 'generateIconEmoji',
    description: 'An icon or emoji upon transparency, large and small.',
    defaultSize: '256x256',
    drawnSize: '1024x1024',
    square: true,
    background: 'transparent',
    prompt: styled(
      'A single icon in the manner of an emoji: one simple subject with a bold, clear outline, few bright colours, soft shading, readable when small, in the middle of the frame and whole. Upon a plain, empty, evenly coloured or transparent background; no shadow on the ground, no text, no frame.',
    ),
    finish: finishIcon,
    stem: (facts) => numbered(`emoji-${facts.epoch}-${sideOf(facts.size)}`, facts),
  },
  {
    ...PLAIN,
    name: 'imageEditor',
    description: 'An edit of one image: all of it, or what a mask leaves open.',
    references: { min: 1, max: 1 },
    mask: true,
    stem: named('edit'),
  },
  {
    ...PLAIN,
    name: 'advancedImageEditingWithContext',
    description: 'An edit of an image with up to fifteen others as its context.',
    references: { min: 1, max: 16 },
    mask: true,
    prompt: ({ prompt }) =>
      `${prompt}\n\nEdit the first of the given images. The others are context: take from them what the words above ask for, and nothing else.`,
    stem: named('context-edit'),
  },
  {
    ...PLAIN,
    name: 'renderChart',
    description: 'A chart from rows of data or a Vega-Lite specification, drawn here without any model.',
    plan: 'chart',
    defaultSize: '1024x768',
    maxImages: 1,
    stem: ({ epoch }) => `chart-${epoch}`,
  },
  {
    ...PLAIN,
    name: 'storyIllustration',
    description: 'The pages of an illustrated story, one to ten, with the same character throughout.',
    plan: 'story',
    references: { min: 0, max: 4 },
    maxImages: 1,
    parts: { min: 1, max: 10 },
    prompt: storyPage,
    stem: storyStem,
  },
  {
    ...PLAIN,
    name: 'stagedPhoto',
    description: 'A photograph of an item, placed in the scene that the prompt describes.',
    references: { min: 1, max: 4 },
    prompt: styled(
      'Place the item of the given photographs in this scene. The item stays exactly as it is: its shape, colours, material, labels and proportions. A realistic photograph: the light, shadows, reflections and perspective of the scene fall upon the item as well.',
    ),
    stem: named('staged'),
  },
];

/** @throws InputError UNKNOWN_TOOL that names the tools there are. */
export function findTool(name: string): Tool {
  const tool = TOOLS.find((one) => one.name === name);
  if (tool) return tool;
  throw new InputError(
    'UNKNOWN_TOOL',
    `There is no tool ${JSON.stringify(name.slice(0, 100))}; there are: ${TOOLS.map((one) => one.name).join(', ')}.`,
    { path: ['input', 'tool'] },
  );
}

function styled(words: string): Tool['prompt'] {
  return ({ prompt }) => `${prompt}\n\n${words}`;
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

function named(prefix: string): Tool['stem'] {
  return (facts) => numbered(`${prefix}-${facts.epoch}`, facts);
}

function numbered(stem: string, { position, count }: StemFacts): string {
  return count > 1 ? `${stem}-${position}` : stem;
}

function sideOf(size: string | null): string {
  return size?.match(/^\d+/)?.[0] ?? '256';
}

/**
 * As the clients that show stories look for them: `consistent` was drawn with a reference, so that the character stays the same;
 * without one, `gptimg` is of the gpt-image family and `story` of any other model.
 */
function storyStem({ epoch, position, model, hasReference }: StemFacts): string {
  const drawn = /(^|\/)(gpt-image|chatgpt-image)/.test(model) ? 'gptimg' : 'story';
  return `${hasReference ? 'consistent' : drawn}-${epoch}-p${position}`;
}
