import type { Model as ModelShape } from '../provider/provider.ts';
import type { Tool as ToolShape } from '../tool/tool.ts';
import { TOOLS } from '../tool/tools.ts';
import { builder } from './builder/builder.ts';

const Tool = builder.objectRef<ToolShape>('Tool').implement({
  description: 'A named preset for a purpose: what `generateImage` takes as `tool`.',
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'What `generateImage` takes as `tool`, and `Image.tool` says.',
    }),
    description: t.exposeString('description', { description: 'What it makes, for people.' }),
    defaultModel: t.exposeString('defaultModel', {
      nullable: true,
      description: "null: the server's default model.",
    }),
    defaultSize: t.exposeString('defaultSize', {
      nullable: true,
      description: "`WIDTHxHEIGHT` in pixels; null: the model's default.",
    }),
    acceptsReferences: t.boolean({
      description:
        'Whether it takes pictures to work from; the model has to take them as well (`Model.maxReferences`).',
      resolve: ({ references }) => references.max > 0,
    }),
    minReferences: t.int({
      description: 'How many `references` it needs; 0: none.',
      resolve: ({ references }) => references.min,
    }),
    maxReferences: t.int({
      description: 'How many `references` it takes at most; 0: none.',
      resolve: ({ references }) => references.max,
    }),
    acceptsMask: t.exposeBoolean('mask', {
      description: 'Whether it takes a `mask`; the model has to take one as well (`Model.acceptsMask`).',
    }),
    maxImages: t.exposeInt('maxImages', { description: 'The highest `n`.' }),
    usesProvider: t.boolean({
      description: 'false: the server draws by itself, without a model.',
      resolve: ({ plan }) => plan !== 'chart',
    }),
  }),
});

type ListedModel = { readonly model: ModelShape; readonly available: boolean };

const SizeRange = builder.objectRef<{ minSide: number; maxSide: number }>('SizeRange').implement({
  description: 'Any size whose sides lie between these, in pixels.',
  fields: (t) => ({
    minSide: t.exposeInt('minSide', { description: 'The shortest that a side may be, in pixels.' }),
    maxSide: t.exposeInt('maxSide', { description: 'The longest that a side may be, in pixels.' }),
  }),
});

const Model = builder.objectRef<ListedModel>('Model').implement({
  description: 'What a provider makes images with. What it cannot do is refused before it is paid for.',
  fields: (t) => ({
    id: t.id({ description: 'What `generateImage` takes as `model`.', resolve: ({ model }) => model.id }),
    provider: t.string({
      description: 'Who serves it, as `Image.provider` says it.',
      resolve: ({ model }) => model.provider,
    }),
    available: t.exposeBoolean('available', {
      description: 'Whether its provider is configured on this server.',
    }),
    sizes: t.stringList({
      nullable: true,
      description: '`WIDTHxHEIGHT` in pixels; null: any within `sizeRange`.',
      resolve: ({ model }) => ('minSide' in model.sizes ? null : [...model.sizes]),
    }),
    sizeRange: t.field({
      type: SizeRange,
      nullable: true,
      description: 'The bounds of its sizes; null: it takes those of `sizes` only.',
      resolve: ({ model }) => ('minSide' in model.sizes ? model.sizes : null),
    }),
    defaultSize: t.string({
      description:
        '`WIDTHxHEIGHT` in pixels: what it makes where neither the request nor the tool says a size.',
      resolve: ({ model }) => model.defaultSize,
    }),
    qualities: t.stringList({
      description: 'What it takes as `quality`; empty: it knows no such setting.',
      resolve: ({ model }) => [...model.qualities],
    }),
    styles: t.stringList({
      description: 'What it takes as `style`; empty: it knows no such setting.',
      resolve: ({ model }) => [...model.styles],
    }),
    formats: t.stringList({
      description:
        'What it can be asked for as `format`, in lower case: `png`, `jpeg`, `webp`; empty: it decides itself.',
      resolve: ({ model }) => [...model.formats],
    }),
    maxPromptLength: t.int({
      description: 'In UTF-16 code units, as JavaScript counts; what the tool adds to the prompt counts too.',
      resolve: ({ model }) => model.maxPromptLength,
    }),
    maxReferences: t.int({
      description: '0: it makes new pictures only.',
      resolve: ({ model }) => model.edits?.maxReferences ?? 0,
    }),
    acceptsMask: t.boolean({
      description: 'Whether it takes a `mask` for the first reference.',
      resolve: ({ model }) => model.edits?.mask ?? false,
    }),
    acceptsSeed: t.boolean({
      description: 'Whether it takes a `seed`; the same one gives the same picture.',
      resolve: ({ model }) => model.seeds,
    }),
    transparency: t.boolean({
      description: 'Whether it can leave the background transparent.',
      resolve: ({ model }) => model.transparency,
    }),
  }),
});

builder.queryFields((t) => ({
  tools: t.field({ type: [Tool], description: 'The tools of `generateImage`.', resolve: () => [...TOOLS] }),
  models: t.field({
    type: [Model],
    description: 'Every model that is known; those of providers that are not configured are not available.',
    resolve: (_root, _args, { services }) => [...services.providers.catalogue],
  }),
}));
