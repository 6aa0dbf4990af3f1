import { InputError } from '../../../errors.ts';
import type { Tool } from '../../../tool/tool.ts';
import { checkCharacters } from '../../input.ts';
import { faultOfJson } from '../../json.ts';
import type { AskedGeneration, PlanContext } from './planned-image.ts';

export const MAX_PROMPT_LENGTH = 32_000;
const MAX_CHART_DEPTH = 60;

/** Tools by their plans that take each of these fields. */
const FIELDS_OF_PLANS: readonly (readonly [keyof AskedGeneration, readonly Tool['plan'][]])[] = [
  ['panels', ['comic']],
  ['pages', ['story']],
  ['character', ['comic', 'story']],
  ['chart', ['chart']],
];

/** Rejects fields that the tool ignores: they would change nothing, and the client would pay all the same. */
export function checkFields(asked: AskedGeneration, { tool, references, hasMask }: PlanContext): void {
  for (const [field, plans] of FIELDS_OF_PLANS) {
    if (asked[field] != null && !plans.includes(tool.plan)) throw invalidField(field, takesNo(tool, field));
  }
  if (asked.n != null && asked.n !== 1 && tool.plan !== 'pictures')
    throw invalidField('n', `The tool ${tool.name} makes one result for each request; leave n out.`);
  const { min, max } = tool.references;
  if (references < min || references > max) {
    const takes = max === 0 ? 'no references' : min === max ? `${min}` : `${min} to ${max}`;
    throw invalidField('references', `The tool ${tool.name} takes ${takes}, not ${references}.`);
  }
  if (hasMask && !tool.mask) throw invalidField('mask', takesNo(tool, 'mask'));
}

export const takesNo = (tool: Tool, field: string) =>
  `The tool ${tool.name} takes no ${field}; leave it out.`;

/** Rejects text and JSON that the database cannot store, and a chart's prompt that is too long. */
export function checkTexts({ prompt, chart }: AskedGeneration): void {
  if (prompt != null) {
    checkCharacters('prompt', prompt);
    if (prompt.length > MAX_PROMPT_LENGTH && chart != null) throw promptTooLong(prompt);
  }
  const fault = chart == null ? null : faultOfJson(chart, MAX_CHART_DEPTH, { mayRound: true });
  if (fault) throw invalidField('chart', `chart ${fault}.`);
}

export function promptTooLong(prompt: string): InputError {
  const message = `The prompt has ${prompt.length} characters; at most ${MAX_PROMPT_LENGTH} are allowed.`;
  return invalidField('prompt', message);
}

export function requirePrompt(prompt: string | null | undefined, tool: Tool): string {
  if (prompt?.trim()) return prompt;
  throw invalidField('prompt', `The prompt is empty. Describe the picture that ${tool.name} is to make.`);
}

/** Checks the panels of a comic or the pages of a story. */
export function requireTexts(field: string, texts: readonly string[], tool: Tool): readonly string[] {
  const most = tool.parts?.max ?? 1;
  if (texts.length < 1 || texts.length > most)
    throw invalidField(field, `There are ${texts.length} ${field}; 1 to ${most} are allowed.`);
  for (const text of texts) {
    checkCharacters(field, text);
    if (text.trim() === '')
      throw invalidField(field, `One of the ${field} is empty. Describe what it shows.`);
  }
  return texts;
}

export function checkCount(n: number, max: number): number {
  if (Number.isInteger(n) && n >= 1 && n <= max) return n;
  throw invalidField('n', `n is ${n}; it must be an integer from 1 to ${max}.`);
}

export function invalidField(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
