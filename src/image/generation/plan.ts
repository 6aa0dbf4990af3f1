import { randomInt } from 'node:crypto';
import { InputError } from '../../errors.ts';
import { checkRequest, MAX_SEED, type PictureSettings } from '../../provider/models.ts';
import type { Model, PictureFormat } from '../../provider/provider.ts';
import { parseChart } from '../../tool/chart.ts';
import { panelSizes } from '../../tool/comic.ts';
import { chooseSize, wantedSize } from '../../tool/size.ts';
import type { Tool } from '../../tool/tool.ts';
import { checkCharacters, parseOptional } from '../input.ts';
import { faultOfJson } from '../json.ts';
import { type GenerationOrder, type GenerationWork, LOCAL_LANE } from './generation.ts';

/** What a request asks of a tool and a model, with its references resolved. */
export interface AskedGeneration {
  readonly prompt?: string | null | undefined;
  readonly size?: string | null | undefined;
  readonly quality?: string | null | undefined;
  readonly style?: string | null | undefined;
  readonly seed?: number | null | undefined;
  readonly background?: 'transparent' | null | undefined;
  readonly format?: PictureFormat | null | undefined;
  /** How many images, for tools that make pictures; 1 by default. */
  readonly n?: number | null | undefined;
  /** A comic's panels, a story's pages: what each shows. */
  readonly panels?: readonly string[] | null | undefined;
  readonly pages?: readonly string[] | null | undefined;
  /** Who is in all pages of a story. */
  readonly character?: string | null | undefined;
  readonly chart?: unknown;
}

/** One image that is to be made, before it is in the database. */
export interface PlannedImage {
  readonly prompt: string;
  readonly work: GenerationWork;
  readonly order: GenerationOrder;
  /** Which of the planned images must be there before, by their place in the plan. */
  readonly waitsFor: readonly number[];
  /** Which planned image it is a part of, and which part; null: it is a result itself. */
  readonly partOf: { readonly index: number; readonly part: string } | null;
  /** Of planned images: the place of one that it takes as a reference when that is there. */
  readonly refersTo: number | null;
}

export interface PlanContext {
  readonly tool: Tool;
  /** null for a tool that needs none. */
  readonly model: Model | null;
  readonly references: readonly string[];
  readonly mask: string | null;
  /** Asked of models that can, where the request asks for none. */
  readonly defaultFormat: PictureFormat | null;
  /** When the request came, in milliseconds since 1970. */
  readonly epoch: number;
}

const MAX_CHARACTER_LENGTH = 2000;

/**
 * Makes a plan of a request: the images, what each is made by, and what it waits for. Nothing is written or paid for yet.
 * @throws InputError for whatever the tool or the model cannot do; it names the field and the way out.
 */
export function planGeneration(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool } = context;
  checkFields(asked, context);
  checkTexts(asked);
  if (tool.plan === 'chart') return [planChart(asked, context)];
  if (tool.plan === 'comic') return planComic(asked, context);
  if (tool.plan === 'story') return planStory(asked, context);
  const prompt = requirePrompt(asked.prompt, tool);
  const n = checkRange('n', asked.n ?? 1, tool.maxImages);
  return Array.from({ length: n }, (_, index) =>
    planPicture(asked, context, { prompt, position: index + 1, count: n }),
  );
}

/** The fields that belong to other tools are refused rather than passed over: they would change nothing, and be paid for. */
function checkFields(asked: AskedGeneration, { tool, references, mask }: PlanContext): void {
  const belongs: [keyof AskedGeneration, Tool['plan'][]][] = [
    ['panels', ['comic']],
    ['pages', ['story']],
    ['character', ['comic', 'story']],
    ['chart', ['chart']],
  ];
  for (const [field, plans] of belongs) {
    if (asked[field] != null && !plans.includes(tool.plan))
      throw invalid(field, `The tool ${tool.name} has no ${field}.`);
  }
  if (asked.n != null && asked.n !== 1 && tool.plan !== 'pictures')
    throw invalid('n', `The tool ${tool.name} makes what is asked for once; leave n out.`);
  const { min, max } = tool.references;
  if (references.length < min || references.length > max) {
    const takes = max === 0 ? 'no references' : min === max ? `${min}` : `${min} to ${max}`;
    throw invalid('references', `The tool ${tool.name} takes ${takes}, not ${references.length}.`);
  }
  if (mask !== null && !tool.mask) throw invalid('mask', `The tool ${tool.name} takes no mask.`);
}

const MAX_PROMPT_LENGTH = 32_000;
const MAX_CHART_DEPTH = 60;

/** What the database could not keep, or nobody reads. */
function checkTexts({ prompt, chart }: AskedGeneration): void {
  if (prompt != null) {
    checkCharacters('prompt', prompt);
    if (prompt.length > MAX_PROMPT_LENGTH && chart != null)
      throw invalid(
        'prompt',
        `The prompt has ${prompt.length} characters; ${MAX_PROMPT_LENGTH} are allowed.`,
      );
  }
  const fault = chart == null ? null : faultOfJson(chart, MAX_CHART_DEPTH, { mayRound: true });
  if (fault) throw invalid('chart', `chart ${fault}.`);
}

interface Place {
  readonly prompt: string;
  readonly position: number;
  readonly count: number;
}

function planPicture(
  asked: AskedGeneration,
  context: PlanContext,
  { prompt, position, count }: Place,
  more: Partial<Pick<PlannedImage, 'partOf' | 'waitsFor' | 'refersTo'>> & {
    character?: string | null;
    /** The size that it is to come near to, where neither user nor tool say one. */
    shape?: string | null;
  } = {},
): PlannedImage {
  const { tool, references, mask } = context;
  const model = context.model as Model;
  const { partOf = null, waitsFor = [], refersTo = null, character = null, shape = null } = more;
  const hasReference = references.length > 0 || refersTo !== null;
  const inSequence = tool.plan !== 'pictures';
  const stem = (size: string) =>
    tool.stem({ epoch: context.epoch, position, count, size, model: model.id, hasReference });
  const full = tool.prompt({
    prompt,
    character,
    position: inSequence ? position : null,
    count,
    hasReference,
  });
  const { size, settings } = checkSettings({ ...asked, prompt: full }, context, {
    references: references.length + (refersTo === null ? 0 : 1),
    shape,
    // Panels and pages belong together, and share what is asked for.
    seed: inSequence ? (asked.seed ?? null) : seedOf(asked.seed ?? null, { model, position, count }),
  });
  return {
    prompt,
    work: 'ask',
    order: {
      lane: model.provider,
      tool: tool.name,
      prompt: full,
      size,
      settings,
      model: model.id,
      references,
      mask,
      stem: partOf ? `${stem(size)}-${partOf.part}` : stem(size),
      chart: null,
    },
    waitsFor,
    partOf,
    refersTo,
  };
}

/** What the model is asked for, and how large the image is to be in the end: the same, unless the tool makes it so. */
function checkSettings(
  asked: AskedGeneration & { prompt: string },
  { tool, mask, defaultFormat, ...context }: PlanContext,
  { references, shape, seed }: { references: number; shape: string | null; seed: number | null },
): { size: string; settings: PictureSettings } {
  const model = context.model as Model;
  const size = wantedSize(tool, asked.size) ?? shape ?? model.defaultSize;
  // A size that the user names is kept to, or refused; one that the tool names, or makes, only has to come near.
  const exact = asked.size != null && tool.finish === null;
  const background = asked.background ?? (model.transparency ? tool.background : null);
  const fits = defaultFormat !== null && model.formats.includes(defaultFormat);
  const format = asked.format ?? (fits && !(background && defaultFormat === 'jpeg') ? defaultFormat : null);
  const settings = checkRequest(model, {
    ...asked,
    size: exact ? size : chooseSize(model, tool.drawnSize ?? size),
    background,
    format,
    seed,
    references,
    mask: mask !== null,
  });
  return { size: tool.finish === null ? settings.size : size, settings };
}

/** Several from one prompt are to differ: each gets a seed of its own, where the model takes one. */
function seedOf(
  seed: number | null,
  { model, position, count }: { model: Model; position: number; count: number },
): number | null {
  if (count === 1 || !model.seeds || (seed !== null && !(seed >= 0 && seed <= MAX_SEED))) return seed;
  return seed === null ? randomInt(MAX_SEED) : (seed + position - 1) % (MAX_SEED + 1);
}

function planComic(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool } = context;
  const prompts = requireTexts('panels', asked.panels ?? (asked.prompt ? [asked.prompt] : []), tool);
  const character = parseOptional('character', asked.character, MAX_CHARACTER_LENGTH);
  if ((asked.prompt?.length ?? 0) > MAX_PROMPT_LENGTH)
    throw invalid('prompt', `The prompt of a page may have ${MAX_PROMPT_LENGTH} characters.`);
  if (asked.size != null)
    throw invalid('size', `The size of a page follows from its panels; leave size out for ${tool.name}.`);
  const sizes = panelSizes(prompts.length);
  const panels = prompts.map((prompt, index) =>
    planPicture(
      { ...asked, size: null },
      context,
      { prompt, position: index + 1, count: prompts.length },
      { partOf: { index: 0, part: `panel-${index + 1}` }, shape: sizes[index] ?? null, character },
    ),
  );
  const [first] = panels;
  if (!first) throw new TypeError('A comic has a panel.');
  const page: PlannedImage = {
    prompt: asked.prompt ?? prompts.join('\n'),
    work: 'compose',
    order: {
      ...first.order,
      lane: LOCAL_LANE,
      stem: tool.stem({
        epoch: context.epoch,
        position: 1,
        count: 1,
        size: null,
        model: first.order.model,
        hasReference: context.references.length > 0,
      }),
    },
    waitsFor: panels.map((_, index) => index + 1),
    partOf: null,
    refersTo: null,
  };
  return [page, ...panels];
}

/** The pages behind the first wait for it, and are drawn with it as a reference where the model takes one. */
function planStory(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool } = context;
  const character = parseOptional('character', asked.character, MAX_CHARACTER_LENGTH);
  const prompts = requireTexts('pages', asked.pages ?? (asked.prompt ? [asked.prompt] : []), tool);
  const model = context.model as Model;
  const room = (model.edits?.maxReferences ?? 0) > context.references.length;
  return prompts.map((prompt, index) => {
    const place = { prompt, position: index + 1, count: prompts.length };
    const follows = index > 0 && room ? { refersTo: 0, waitsFor: [0] } : {};
    return planPicture(asked, context, place, { ...follows, character });
  });
}

function planChart(asked: AskedGeneration, context: PlanContext): PlannedImage {
  const { tool, epoch } = context;
  const chart = parseChart(asked.chart);
  for (const field of ['quality', 'style', 'seed', 'background', 'format'] as const) {
    if (asked[field] != null) throw invalid(field, `The tool ${tool.name} has no ${field}.`);
  }
  const size = wantedSize(tool, asked.size) as string;
  const settings = { size, quality: null, style: null, seed: null, background: null, format: null };
  const stem = tool.stem({ epoch, position: 1, count: 1, size, model: '', hasReference: false });
  return {
    prompt: asked.prompt ?? '',
    work: 'chart',
    order: {
      lane: LOCAL_LANE,
      tool: tool.name,
      prompt: '',
      size,
      settings,
      model: 'vega-lite',
      references: [],
      mask: null,
      stem,
      chart,
    },
    waitsFor: [],
    partOf: null,
    refersTo: null,
  };
}

function requirePrompt(prompt: string | null | undefined, tool: Tool): string {
  if (prompt?.trim()) return prompt;
  throw invalid('prompt', `The prompt is empty. Say in words what the picture of ${tool.name} is to show.`);
}

function requireTexts(field: string, texts: readonly string[], tool: Tool): readonly string[] {
  const most = tool.parts?.max ?? 1;
  if (texts.length < 1 || texts.length > most)
    throw invalid(field, `There are ${texts.length} ${field}; 1 to ${most} are allowed.`);
  for (const text of texts) {
    checkCharacters(field, text);
    if (text.trim() === '') throw invalid(field, `One of the ${field} is empty.`);
  }
  return texts;
}

function checkRange(field: string, value: number, high: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= high) return value;
  throw invalid(field, `${field} is ${value}; it goes from 1 to ${high}.`);
}

function invalid(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
