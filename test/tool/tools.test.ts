import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { OPENAI_MODELS } from '../../src/provider/models/openai.ts';
import { checkRequest } from '../../src/provider/models.ts';
import type { Model } from '../../src/provider/provider.ts';
import { makeSampleProvider } from '../../src/provider/sample/sample.ts';
import { chooseSize, wantedSize } from '../../src/tool/size.ts';
import type { StemFacts, ToolPrompt } from '../../src/tool/tool.ts';
import { findTool, TOOLS } from '../../src/tool/tools.ts';
import { makePicture } from '../pictures.ts';
import { openFolder } from './pictures.ts';

const FACTS: StemFacts = {
  epoch: 1_763_740_800_000,
  position: 2,
  count: 1,
  size: null,
  model: 'sample',
  hasReference: false,
};
const ASKED: ToolPrompt = { prompt: 'a fox', character: null, position: null, count: 1, hasReference: false };

describe('the tools', () => {
  test('are these ten', () => {
    expect(TOOLS.map(({ name }) => name)).toEqual([
      'generateUserImage',
      'generateUserAvatar',
      'generateAnimeManga',
      'generateComic',
      'generateIconEmoji',
      'imageEditor',
      'advancedImageEditingWithContext',
      'renderChart',
      'storyIllustration',
      'stagedPhoto',
    ]);
  });

  test('are found by their exact names only', () => {
    for (const tool of TOOLS) expect(findTool(tool.name)).toBe(tool);
    for (const name of ['', 'toString', 'generateuserimage', '__proto__']) {
      expect(() => findTool(name)).toThrow(
        expect.objectContaining({ code: 'UNKNOWN_TOOL', inputPath: ['input', 'tool'] }),
      );
    }
    expect(() => findTool('x')).toThrow(/generateUserImage, .*, stagedPhoto/);
  });

  test.each(TOOLS.map((tool) => [tool.name, tool] as const))(
    "%s begins its prompt with the client's prompt",
    (_, tool) => {
      for (const asked of [
        ASKED,
        { ...ASKED, character: 'Vera, a red fox', position: 2, count: 4, hasReference: true },
      ]) {
        const prompt = tool.prompt(asked);
        expect(prompt.startsWith('a fox')).toBe(true);
        expect(prompt).not.toMatch(/null|undefined|false/);
      }
    },
  );

  test.each(TOOLS.map((tool) => [tool.name, tool] as const))(
    '%s names its files with letters, digits and dashes only',
    (_, tool) => {
      for (const model of ['sample', 'gpt-image-2', '../../etc/passwd']) {
        for (const count of [1, 4]) {
          expect(tool.stem({ ...FACTS, model, count, size: '256x256' })).toMatch(/^[A-Za-z][A-Za-z0-9-]*$/);
        }
      }
    },
  );

  test('without a style pass the prompt on unchanged', () => {
    for (const name of ['generateUserImage', 'imageEditor'])
      expect(findTool(name).prompt(ASKED)).toBe('a fox');
  });

  test('for comics and stories name the part and the character', () => {
    const asked = { ...ASKED, character: 'Vera, a red fox', position: 2, count: 4, hasReference: true };
    expect(findTool('generateComic').prompt(asked)).toMatch(/Vera, a red fox.*given image.*panel 2 of 4/s);
    expect(findTool('storyIllustration').prompt(asked)).toMatch(/Vera, a red fox.*given image.*page 2 of 4/s);
    expect(findTool('storyIllustration').prompt({ ...asked, hasReference: false })).not.toMatch(
      /given image/,
    );
  });
});

describe('the name of a file', () => {
  const { epoch } = FACTS;
  test.each<[string, Partial<StemFacts>, string]>([
    ['generateUserImage', {}, `image-${epoch}`],
    ['generateUserImage', { count: 3 }, `image-${epoch}-2`],
    ['generateUserAvatar', {}, `avatar-${epoch}`],
    ['generateAnimeManga', {}, `anime-${epoch}`],
    ['generateComic', { count: 4 }, `comic-${epoch}`],
    ['generateIconEmoji', {}, `emoji-${epoch}-256`],
    ['generateIconEmoji', { size: '512x512', count: 2 }, `emoji-${epoch}-512-2`],
    ['imageEditor', { hasReference: true }, `edit-${epoch}`],
    ['advancedImageEditingWithContext', { hasReference: true }, `context-edit-${epoch}`],
    ['renderChart', {}, `chart-${epoch}`],
    ['stagedPhoto', { hasReference: true, count: 2 }, `staged-${epoch}-2`],
    ['storyIllustration', { position: 1 }, `story-${epoch}-p1`],
    ['storyIllustration', { hasReference: true }, `consistent-${epoch}-p2`],
    ['storyIllustration', { model: 'gpt-image-2.5-flare' }, `gptimg-${epoch}-p2`],
    ['storyIllustration', { model: 'chatgpt-image-latest' }, `gptimg-${epoch}-p2`],
    ['storyIllustration', { model: 'openai/gpt-image-2' }, `gptimg-${epoch}-p2`],
    ['storyIllustration', { model: 'gpt-image-2', hasReference: true }, `consistent-${epoch}-p2`],
  ])('of %s with %j is %s', (name, facts, expected) => {
    expect(findTool(name).stem({ ...FACTS, ...facts })).toBe(expected);
  });
});

describe('the size that is requested from a model', () => {
  const [sample] = makeSampleProvider().models as [Model];
  const offering = (...sizes: string[]): Model => ({ ...sample, sizes, defaultSize: sizes[0] ?? '' });
  const gpt = OPENAI_MODELS.find(({ id }) => id === 'gpt-image-1') as Model;

  test.each<[string, Model, string, string]>([
    ['is the wanted one when the model offers it', gpt, '1536x1024', '1536x1024'],
    ['is the smallest square that is large enough', gpt, '512x512', '1024x1024'],
    ['is the nearest shape', gpt, '1600x900', '1536x1024'],
    ['is portrait for a portrait', gpt, '471x700', '1024x1536'],
    [
      'is the smallest that is large enough',
      offering('256x256', '512x512', '1024x1024'),
      '300x300',
      '512x512',
    ],
    [
      'is the largest when none is large enough',
      offering('256x256', '512x512', '1024x512'),
      '600x600',
      '512x512',
    ],
    ['is the only one', offering('1024x768'), '16x4096', '1024x768'],
    ['is the wanted one within bounds', sample, '300x200', '300x200'],
    ['is scaled down with its shape', sample, '4096x2048', '2048x1024'],
    ['is scaled up with its shape', sample, '8x4', '32x16'],
    ['is shortened when the shape is too long for the bounds', sample, '4096x16', '2048x16'],
  ])('%s', (_, model, wanted, expected) => {
    expect(chooseSize(model, wanted)).toBe(expected);
  });

  test('is always one that the model accepts', () => {
    for (const model of [sample, ...OPENAI_MODELS]) {
      for (const wanted of ['1x1', '1x4096', '4096x1', '640x480', '966x615']) {
        const size = chooseSize(model, wanted);
        if ('minSide' in model.sizes) {
          const sides = size.split('x').map(Number);
          expect(Math.min(...sides)).toBeGreaterThanOrEqual(model.sizes.minSide);
          expect(Math.max(...sides)).toBeLessThanOrEqual(model.sizes.maxSide);
        } else expect(model.sizes).toContain(size);
      }
    }
  });
});

describe('a tool that draws pictures', () => {
  const keep = openFolder();
  const sample = makeSampleProvider();
  const [model] = sample.models as [Model];

  test.each(TOOLS.filter(({ plan }) => plan === 'pictures').map((tool) => [tool.name, tool] as const))(
    'works offline: %s',
    async (_, tool) => {
      const wanted = wantedSize(tool, null);
      const reference = { bytes: await makePicture({ width: 60, height: 40 }), mimeType: 'image/png' };
      const references = Array.from({ length: tool.references.max }, () => reference);
      const asked = {
        prompt: tool.prompt({ ...ASKED, hasReference: references.length > 0 }),
        size: chooseSize(model, tool.drawnSize ?? wanted ?? model.defaultSize),
        background: tool.background,
      };
      const settings = checkRequest(model, { ...asked, references: references.length });
      const { picture } = await sample.generate(
        { model: model.id, prompt: asked.prompt, user: 'u1', ...settings, references, mask: null },
        new AbortController().signal,
      );
      if (!('bytes' in picture)) throw new Error('The response has a URL instead of bytes.');
      const size = wanted ?? settings.size;
      const finished = tool.finish ? await tool.finish(await keep(picture.bytes), size) : picture;
      const { width, height } = await sharp(finished.bytes).metadata();
      expect(`${width}x${height}`).toBe(size);
    },
  );
});

describe('the size of the finished image', () => {
  test("is the tool's default when the client names none", () => {
    expect(wantedSize(findTool('generateUserAvatar'), null)).toBe('512x512');
    expect(wantedSize(findTool('generateIconEmoji'), undefined)).toBe('256x256');
    expect(wantedSize(findTool('generateUserImage'), null)).toBeNull();
    expect(wantedSize(findTool('generateUserAvatar'), '128x128')).toBe('128x128');
  });

  test.each([
    ['generateUserAvatar', '512x300'],
    ['generateUserAvatar', '8x8'],
    ['generateIconEmoji', '5000x5000'],
    ['renderChart', '5000x100'],
    ['renderChart', 'large'],
  ])('of %s is not %s', (name, size) => {
    expect(() => wantedSize(findTool(name), size)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', inputPath: ['input', 'size'] }),
    );
  });
});
