import type { Model as ModelShape, Price } from '../provider/provider.ts';
import { sizeRangeOf } from '../tool/size.ts';
import type { Tool as ToolShape } from '../tool/tool.ts';
import { TOOLS } from '../tool/tools.ts';
import { builder } from './builder/builder.ts';
import { LIST_COST, SCALAR_LIST_COST } from './builder/costs.ts';

const SizeRange = builder.objectRef<{ minSide: number; maxSide: number }>('SizeRange').implement({
  description: 'Range of sizes: each side of an image may be from `minSide` to `maxSide`.',
  fields: (t) => ({
    minSide: t.exposeInt('minSide', { description: 'Minimum length of a side in pixels.' }),
    maxSide: t.exposeInt('maxSide', { description: 'Maximum length of a side in pixels.' }),
  }),
});

const ToolPlan = builder.enumType('ToolPlan', {
  description: 'How a tool turns a request into images.',
  values: {
    PICTURES: { value: 'pictures', description: '`n` images from one `prompt`.' },
    COMIC: { value: 'comic', description: 'One page, with a panel for each text of `panels`.' },
    STORY: { value: 'story', description: 'One image for each text of `pages`.' },
    CHART: { value: 'chart', description: 'One chart from `chart`, drawn by the server.' },
  } as const,
});

const Tool = builder.objectRef<ToolShape>('Tool').implement({
  description: 'A preset for generating images of one kind, such as avatars, comics or charts.',
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Name of the tool, for `GenerateImageInput.tool`; the same as in `Image.tool`.',
    }),
    description: t.exposeString('description', {
      description: 'Description of the images that the tool makes, for display to users.',
    }),
    defaultModel: t.exposeString('defaultModel', {
      nullable: true,
      description: "ID of the tool's default model; null if it uses the server's default model.",
    }),
    defaultSize: t.exposeString('defaultSize', {
      nullable: true,
      description: "Default size, `WIDTHxHEIGHT` in pixels; null if it uses the model's default size.",
    }),
    acceptsReferences: t.boolean({
      description:
        'Whether the tool accepts `references`. The model must accept them too (`Model.maxReferences`).',
      resolve: ({ references }) => references.max > 0,
    }),
    minReferences: t.int({
      description: 'Minimum number of `references`; 0 if it needs none.',
      resolve: ({ references }) => references.min,
    }),
    maxReferences: t.int({
      description: 'Maximum number of `references`; 0 if it accepts none.',
      resolve: ({ references }) => references.max,
    }),
    acceptsMask: t.exposeBoolean('mask', {
      description: 'Whether the tool accepts a `mask`. The model must accept one too (`Model.acceptsMask`).',
    }),
    maxImages: t.exposeInt('maxImages', { description: 'Maximum number of images per request (`n`).' }),
    usesProvider: t.boolean({
      description: 'Whether the tool calls a provider; false if the server draws the image itself.',
      resolve: ({ plan }) => plan !== 'chart',
    }),
    plan: t.expose('plan', {
      type: ToolPlan,
      description: 'How the tool turns a request into images; it says which fields of the input it takes.',
    }),
    maxParts: t.int({
      description: 'Maximum number of `panels` or `pages`; 0 if the tool takes neither.',
      resolve: ({ parts }) => parts?.max ?? 0,
    }),
    sizeRange: t.field({
      type: SizeRange,
      nullable: true,
      description:
        "Range of sizes, if the server brings the images to any size; null if `size` must be one of the model's, or is not accepted (COMIC).",
      resolve: sizeRangeOf,
    }),
    square: t.exposeBoolean('square', { description: 'Whether the two sides of `size` must be equal.' }),
    addedPromptLength: t.int({
      description:
        'Maximum number of UTF-16 code units that the tool adds to the prompt, without `character`; see `Model.maxPromptLength`.',
      resolve: ({ prompt }) =>
        prompt({ prompt: '', character: null, position: 10, count: 10, hasReference: true }).length + 2,
    }),
  }),
});

type ListedModel = { readonly model: ModelShape; readonly available: boolean };

const ModelPrice = builder.objectRef<Price>('ModelPrice').implement({
  description: 'Published price of one picture. A size or quality of null applies to every request.',
  fields: (t) => ({
    size: t.string({
      nullable: true,
      description: 'Size that the price is for, `WIDTHxHEIGHT` in pixels; null: every size.',
      resolve: ({ size }) => size ?? null,
    }),
    quality: t.string({
      nullable: true,
      description: 'Quality that the price is for; null: every quality that no earlier price is for.',
      resolve: ({ quality }) => quality ?? null,
    }),
    usd: t.exposeFloat('usd', { description: 'Price in US dollars.' }),
  }),
});

const Model = builder.objectRef<ListedModel>('Model').implement({
  description:
    'A model of a provider, and what it supports. Requests for anything else are refused before the provider is called.',
  fields: (t) => ({
    id: t.id({
      description: 'ID of the model, for `GenerateImageInput.model`.',
      resolve: ({ model }) => model.id,
    }),
    provider: t.string({
      description: 'Name of the provider; the same as in `Image.provider`.',
      resolve: ({ model }) => model.provider,
    }),
    available: t.exposeBoolean('available', {
      description: 'Whether the provider is configured on this server.',
    }),
    sizes: t.stringList({
      nullable: true,
      description:
        'Supported sizes, `WIDTHxHEIGHT` in pixels; null if any size within `sizeRange` is supported.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ model }) => ('minSide' in model.sizes ? null : [...model.sizes]),
    }),
    sizeRange: t.field({
      type: SizeRange,
      nullable: true,
      description: 'Range of supported sizes; null if only those in `sizes` are supported.',
      resolve: ({ model }) => ('minSide' in model.sizes ? model.sizes : null),
    }),
    defaultSize: t.string({
      description: 'Size if neither the request nor the tool gives one, `WIDTHxHEIGHT` in pixels.',
      resolve: ({ model }) => model.defaultSize,
    }),
    qualities: t.stringList({
      description: 'Supported values of `quality`; empty if the model has no such option.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ model }) => [...model.qualities],
    }),
    styles: t.stringList({
      description: 'Supported values of `style`; empty if the model has no such option.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ model }) => [...model.styles],
    }),
    formats: t.stringList({
      description:
        'Supported file formats, in lower case: `png`, `jpeg`, `webp`; empty if the format cannot be chosen.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ model }) => [...model.formats],
    }),
    maxPromptLength: t.int({
      description:
        'Maximum length of the prompt in UTF-16 code units, including the text that the tool adds.',
      resolve: ({ model }) => model.maxPromptLength,
    }),
    maxReferences: t.int({
      description: 'Maximum number of `references`; 0 if the model cannot edit images.',
      resolve: ({ model }) => model.edits?.maxReferences ?? 0,
    }),
    acceptsMask: t.boolean({
      description: 'Whether the model accepts a `mask` for the first reference.',
      resolve: ({ model }) => model.edits?.mask ?? false,
    }),
    acceptsSeed: t.boolean({
      description: 'Whether the model accepts a `seed`.',
      resolve: ({ model }) => model.seeds,
    }),
    transparency: t.boolean({
      description: 'Whether the model can make transparent backgrounds.',
      resolve: ({ model }) => model.transparency,
    }),
    isDefault: t.boolean({
      description: 'Whether the server uses the model if neither the request nor the tool names one.',
      resolve: ({ model }, _args, { services }) => services.providers.defaultModel === model,
    }),
    prices: t.field({
      type: [ModelPrice],
      description:
        'Published prices; the first that matches `size` and `quality` applies. Empty if none is published as a price for each picture.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ model }) => [...model.prices],
    }),
  }),
});

builder.queryFields((t) => ({
  tools: t.field({
    type: [Tool],
    description: 'Returns the tools that `generateImage` can use.',
    extensions: { scope: null, cost: LIST_COST },
    resolve: () => [...TOOLS],
  }),
  models: t.field({
    type: [Model],
    description:
      'Returns all known models, including those of providers that are not configured on this server (`available: false`).',
    extensions: { scope: null, cost: LIST_COST },
    resolve: (_root, _args, { services }) => [...services.providers.catalogue],
  }),
}));
