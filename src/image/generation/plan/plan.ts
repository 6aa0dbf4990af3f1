import type { Model } from '../../../provider/provider.ts';
import { parseChart } from '../../../tool/chart.ts';
import { panelSizes } from '../../../tool/comic.ts';
import { wantedSize } from '../../../tool/size.ts';
import { parseOptional } from '../../input.ts';
import { LOCAL_QUEUE } from '../generation.ts';
import {
  checkCount,
  checkFields,
  checkTexts,
  invalidField,
  MAX_PROMPT_LENGTH,
  promptTooLong,
  requirePrompt,
  requireTexts,
  takesNo,
} from './checks.ts';
import { planPicture } from './picture.ts';
import type { AskedGeneration, PlanContext, PlannedImage } from './planned-image.ts';

const MAX_CHARACTER_LENGTH = 2000;

/**
 * Plans a request: its images, how each is made, and what each waits for. Writes and pays for nothing.
 * @throws InputError for what the tool or the model cannot do. It names the field and the way out.
 */
export function planGeneration(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool } = context;
  checkFields(asked, context);
  checkTexts(asked);
  switch (tool.plan) {
    case 'chart':
      return [planChart(asked, context)];
    case 'comic':
      return planComic(asked, context);
    case 'story':
      return planStory(asked, context);
    case 'pictures': {
      const prompt = requirePrompt(asked.prompt, tool);
      const count = checkCount(asked.n ?? 1, tool.maxImages);
      return Array.from({ length: count }, (_, index) =>
        planPicture(asked, context, { prompt, position: index + 1, count }),
      );
    }
  }
}

/** Plans the page of a comic, and its panels as parts. */
function planComic(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool, epoch } = context;
  const prompts = requireTexts('panels', asked.panels ?? (asked.prompt ? [asked.prompt] : []), tool);
  const character = parseOptional('character', asked.character, MAX_CHARACTER_LENGTH);
  if (asked.prompt && asked.prompt.length > MAX_PROMPT_LENGTH) throw promptTooLong(asked.prompt);
  if (asked.size != null)
    throw invalidField(
      'size',
      `The size of a page follows from its panels; leave size out for ${tool.name}.`,
    );
  const sizes = panelSizes(prompts.length);
  const panels = prompts.map((prompt, index) =>
    planPicture(
      { ...asked, size: null },
      context,
      { prompt, position: index + 1, count: prompts.length },
      { partOf: { index: 0, part: `panel-${index + 1}` }, nearSize: sizes[index] ?? null, character },
    ),
  );
  const [first] = panels;
  if (!first) throw new TypeError('A comic has no panel.');
  const { model } = first.request;
  const hasReference = context.references > 0;
  const stem = tool.stem({ epoch, position: 1, count: 1, size: null, model, hasReference });
  const page: PlannedImage = {
    prompt: asked.prompt ?? prompts.join('\n'),
    kind: 'compose',
    request: { ...first.request, lane: LOCAL_QUEUE, stem },
    waitsFor: panels.map((_, index) => index + 1),
    partOf: null,
    refersTo: null,
  };
  return [page, ...panels];
}

/**
 * Plans the pages of a story. Later pages wait for the first and use it as a reference, when the model takes
 * one more.
 */
function planStory(asked: AskedGeneration, context: PlanContext): PlannedImage[] {
  const { tool } = context;
  const character = parseOptional('character', asked.character, MAX_CHARACTER_LENGTH);
  const prompts = requireTexts('pages', asked.pages ?? (asked.prompt ? [asked.prompt] : []), tool);
  const model = context.model as Model;
  const takesOneMore = (model.edits?.maxReferences ?? 0) > context.references;
  return prompts.map((prompt, index) => {
    const place = { prompt, position: index + 1, count: prompts.length };
    const follows = index > 0 && takesOneMore ? { refersTo: 0, waitsFor: [0] } : {};
    return planPicture(asked, context, place, { ...follows, character });
  });
}

/** Plans a chart, which this server draws. */
function planChart(asked: AskedGeneration, { tool, epoch }: PlanContext): PlannedImage {
  const chart = parseChart(asked.chart);
  for (const field of ['quality', 'style', 'seed', 'background', 'format'] as const) {
    if (asked[field] != null) throw invalidField(field, takesNo(tool, field));
  }
  const size = wantedSize(tool, asked.size) as string;
  const settings = { size, quality: null, style: null, seed: null, background: null, format: null };
  return {
    prompt: asked.prompt ?? '',
    kind: 'chart',
    request: {
      lane: LOCAL_QUEUE,
      tool: tool.name,
      prompt: '',
      size,
      settings,
      model: 'vega-lite',
      stem: tool.stem({ epoch, position: 1, count: 1, size, model: '', hasReference: false }),
      chart,
    },
    waitsFor: [],
    partOf: null,
    refersTo: null,
  };
}
