import { describe, expect, test } from 'vitest';
import { OPENAI_MODELS } from '../../src/provider/models/openai.ts';
import {
  draftFrom,
  EMPTY_DRAFT,
  faultsOfDraft,
  inputOf,
  parseDraft,
  seedOf,
} from '../../src/web/make/draft.ts';
import {
  addStep,
  effective,
  isEmpty,
  type MaskStep,
  NO_STEPS,
  redo,
  undo,
} from '../../src/web/make/mask/history.ts';
import {
  canServe,
  defaultModelOf,
  faultOfSize,
  type Model,
  offersOf,
  priceOf,
  type Tool,
} from '../../src/web/make/offers.ts';
import { makeRandom } from './random.ts';

const tool = (changes: Partial<Tool> = {}): Tool => ({
  name: 'generateUserImage',
  description: '',
  defaultModel: null,
  defaultSize: null,
  minReferences: 0,
  maxReferences: 0,
  acceptsMask: false,
  maxImages: 10,
  usesProvider: true,
  plan: 'PICTURES',
  maxParts: 0,
  square: false,
  addedPromptLength: 0,
  sizeRange: null,
  ...changes,
});

const model = (changes: Partial<Model> = {}): Model => ({
  id: 'm',
  provider: 'p',
  available: true,
  isDefault: false,
  sizes: ['1024x1024', '1536x1024'],
  sizeRange: null,
  defaultSize: '1024x1024',
  qualities: ['low', 'high'],
  styles: ['vivid'],
  formats: ['png', 'jpeg'],
  maxPromptLength: 1000,
  maxReferences: 4,
  acceptsMask: true,
  acceptsSeed: true,
  transparency: true,
  prices: [],
  ...changes,
});

describe('what the form offers', () => {
  test('is what the tool and the model can do', () => {
    expect(offersOf(tool(), model())).toMatchObject({
      prompt: 'required',
      maxPromptLength: 1000,
      maxImages: 10,
      size: { kind: 'list', sizes: ['1024x1024', '1536x1024'], usual: '1024x1024' },
      qualities: ['low', 'high'],
      seed: true,
      references: { min: 0, max: 0 },
      mask: false,
      parts: null,
      chart: false,
    });
    const plain = model({ acceptsSeed: false, transparency: false, qualities: [], styles: [], formats: [] });
    expect(offersOf(tool(), plain)).toMatchObject({
      seed: false,
      transparency: false,
      qualities: [],
      formats: [],
    });
  });

  test('has references and a mask only where both take them', () => {
    const editor = tool({ minReferences: 1, maxReferences: 16, acceptsMask: true });
    expect(offersOf(editor, model())).toMatchObject({ references: { min: 1, max: 4 }, mask: true });
    expect(offersOf(editor, model({ acceptsMask: false })).mask).toBe(false);
    expect(canServe(editor, model({ maxReferences: 0 }))).toBe(false);
    expect(canServe(tool(), model({ maxReferences: 0 }))).toBe(true);
  });

  test('follows the plan of the tool', () => {
    const comic = offersOf(tool({ plan: 'COMIC', maxParts: 6, maxImages: 1 }), model());
    expect(comic).toMatchObject({ parts: { field: 'panels', max: 6 }, size: { kind: 'none' }, maxImages: 1 });
    const story = offersOf(tool({ plan: 'STORY', maxParts: 10 }), model());
    expect(story).toMatchObject({ parts: { field: 'pages', max: 10 }, size: { kind: 'list' } });
    const sizeRange = { minSide: 16, maxSide: 4096 };
    const chart = offersOf(
      tool({ plan: 'CHART', usesProvider: false, sizeRange, defaultSize: '1024x768' }),
      undefined,
    );
    expect(chart).toMatchObject({
      chart: true,
      model: false,
      prompt: 'optional',
      qualities: [],
      seed: false,
    });
    expect(chart.size).toMatchObject({ kind: 'range', usual: '1024x768' });
  });

  test('of a finished square image is any square size, and no format', () => {
    const sizeRange = { minSide: 16, maxSide: 4096 };
    const { size, formats } = offersOf(tool({ square: true, sizeRange, defaultSize: '300x300' }), model());
    expect(formats).toEqual([]);
    expect(size.kind === 'range' && size.presets).toEqual([
      '300x300',
      '256x256',
      '512x512',
      '1024x1024',
      '2048x2048',
    ]);
    expect(faultOfSize('100x100', size)).toBeNull();
    expect(faultOfSize('100x101', size)).toBe('square');
    expect(faultOfSize('9x9', size)).toBe('range');
    expect(faultOfSize('wide', size)).toBe('form');
    expect(faultOfSize('1x1', { kind: 'list', sizes: ['2x2'], usual: '2x2' })).toBe('unknown');
  });

  test('names the default model of the tool, or of the server', () => {
    const models = [model({ id: 'a' }), model({ id: 'b', isDefault: true })];
    expect(defaultModelOf(tool(), models)?.id).toBe('b');
    expect(defaultModelOf(tool({ defaultModel: 'a' }), models)?.id).toBe('a');
  });

  test('has the published price of what is asked for', () => {
    const dallE = OPENAI_MODELS.find(({ id }) => id === 'dall-e-3');
    const prices = (dallE?.prices ?? []).map(({ size = null, quality = null, usd }) => ({
      size,
      quality,
      usd,
    }));
    const priced = model({ prices });
    expect(priceOf(tool(), priced, { size: '', quality: '' })).toBe(0.04);
    expect(priceOf(tool(), priced, { size: '1792x1024', quality: 'hd' })).toBe(0.12);
    const finished = tool({ sizeRange: { minSide: 16, maxSide: 4096 } });
    expect(priceOf(finished, priced, { size: '', quality: '' })).toBeNull();
    expect(priceOf(tool(), model(), { size: '', quality: '' })).toBeNull();
  });
});

describe('the draft', () => {
  const pictures = { references: [], mask: null };

  test('sends nothing that the tool or the model does not take', () => {
    const full = {
      ...EMPTY_DRAFT,
      prompt: 'a fox',
      character: 'Ann',
      parts: ['one', 'two'],
      chart: '{}',
      size: '1536x1024',
      quality: 'high',
      style: 'vivid',
      format: 'jpeg',
      isTransparent: true,
      seed: '7',
      n: 3,
      parent: 'uuid',
    };
    const plain = model({ qualities: [], styles: [], formats: [], acceptsSeed: false, transparency: false });
    const sent = { references: [{ id: 'uuid' }], mask: new File(['x'], 'mask.png') };
    expect(inputOf(full, offersOf(tool({ maxImages: 2 }), plain), sent)).toEqual({
      tool: 'generateUserImage',
      waitSeconds: 0,
      prompt: 'a fox',
      size: '1536x1024',
      n: 2,
    });
    const editor = tool({ maxReferences: 1, acceptsMask: true });
    expect(inputOf(full, offersOf(editor, model()), sent)).toMatchObject({
      quality: 'high',
      style: 'vivid',
      format: 'JPEG',
      background: 'TRANSPARENT',
      seed: 7,
      references: [{ id: 'uuid' }],
      mask: { file: sent.mask },
      parentId: 'uuid',
    });
    const comic = inputOf(full, offersOf(tool({ plan: 'COMIC', maxParts: 6 }), model()), pictures);
    expect(comic).toMatchObject({ panels: ['one', 'two'], character: 'Ann' });
    expect(comic).not.toHaveProperty('prompt');
    expect(comic).not.toHaveProperty('size');
  });

  test('says what must be mended first', () => {
    const offers = offersOf(tool({ minReferences: 1, maxReferences: 2 }), model({ maxPromptLength: 5 }));
    expect(faultsOfDraft(EMPTY_DRAFT, offers, 0)).toEqual({ prompt: 'empty', references: 'few' });
    const wrong = { ...EMPTY_DRAFT, prompt: 'too long', seed: '1.5', size: '1x1' };
    expect(faultsOfDraft(wrong, offers, 3)).toEqual({
      prompt: 'long',
      seed: 'seed',
      size: 'size-unknown',
      references: 'many',
    });
    const chart = offersOf(tool({ plan: 'CHART', usesProvider: false }), undefined);
    expect(faultsOfDraft({ ...EMPTY_DRAFT, chart: '[1]' }, chart, 0)).toEqual({ chart: 'json' });
    expect(faultsOfDraft({ ...EMPTY_DRAFT, chart: '{"kind":"BAR"}' }, chart, 0)).toEqual({});
    const story = offersOf(tool({ plan: 'STORY', maxParts: 3 }), model());
    expect(faultsOfDraft({ ...EMPTY_DRAFT, parts: ['a', ' '] }, story, 0)).toEqual({ parts: 'emptyPart' });
    expect([seedOf('12'), seedOf('-3'), seedOf('2147483648'), seedOf('x')]).toEqual([12, -3, null, null]);
  });

  test('survives a reload, and anything else under its name', () => {
    const kept = { ...EMPTY_DRAFT, prompt: 'a fox', tags: ['x'], n: 2 };
    expect(parseDraft(JSON.stringify(kept))).toEqual(kept);
    for (const json of [null, '', '{', '7', '[]', '{"prompt":7,"parts":[],"tags":[1],"n":"2","other":1}'])
      expect(parseDraft(json)).toEqual(EMPTY_DRAFT);
  });

  test('takes over an image, as far as this server knows its tool and model', () => {
    const image = {
      prompt: 'a fox',
      tool: 'generateUserImage',
      model: 'm',
      size: '512x512',
      quality: null,
      style: null,
      tags: ['x'],
      metadata: { provider: { seed: 12 } },
      provenance: null,
    };
    const known = { tools: ['generateUserImage'], models: ['m'] };
    expect(draftFrom(image, known)).toMatchObject({
      prompt: 'a fox',
      model: 'm',
      size: '512x512',
      seed: '12',
    });
    const foreign = draftFrom(
      { ...image, tool: 'other', model: 'x', metadata: null, provenance: { seed: 'ab' } },
      known,
    );
    expect(foreign).toMatchObject({ tool: 'generateUserImage', model: '', seed: '' });
  });
});

test('the strokes of a mask are undone and redone in their order', () => {
  const stroke = (size: number): MaskStep => ({
    kind: 'stroke',
    erases: false,
    size,
    points: [{ x: 0, y: 0 }],
  });
  for (let seed = 0; seed < 20; seed++) {
    const random = makeRandom(seed);
    let history = NO_STEPS;
    const states = [history.steps];
    let at = 0;
    for (let count = 0; count < 60; count++) {
      const choice = random.integer(3);
      if (choice === 0) {
        history = undo(history);
        at = Math.max(0, at - 1);
      } else if (choice === 1) {
        history = redo(history);
        at = Math.min(states.length - 1, at + 1);
      } else {
        history = addStep(history, random.chance(0.1) ? { kind: 'clear' } : stroke(count));
        states.splice(at + 1, states.length, history.steps);
        at += 1;
      }
      expect(history.steps).toEqual(states[at]);
    }
  }
});

test('a mask is empty until something is painted', () => {
  const paint: MaskStep = { kind: 'box', erases: false, x: 0, y: 0, width: 1, height: 1 };
  const painted = addStep(NO_STEPS, paint);
  const cleared = addStep(painted, { kind: 'clear' });
  expect([isEmpty(NO_STEPS), isEmpty(painted), isEmpty(cleared)]).toEqual([true, false, true]);
  expect(isEmpty(addStep(NO_STEPS, { ...paint, erases: true }))).toBe(true);
  expect(isEmpty(addStep(cleared, { kind: 'invert' }))).toBe(false);
  expect(effective(addStep(cleared, paint))).toEqual([paint]);
});
