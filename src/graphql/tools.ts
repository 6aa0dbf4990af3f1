import type { Model as ModelShape } from '../provider/provider.ts';
import type { Tool as ToolShape } from '../tool/tool.ts';
import { TOOLS } from '../tool/tools.ts';
import { builder } from './builder.ts';

const Tool = builder.objectRef<ToolShape>('Tool').implement({
  description: 'A named preset for a purpose: what `generateImage` takes as `tool`.',
  fields: (t) => ({
    name: t.exposeString('name'),
    description: t.exposeString('description'),
    defaultModel: t.exposeString('defaultModel', {
      nullable: true,
      description: "null: the server's default model.",
    }),
    defaultSize: t.exposeString('defaultSize', {
      nullable: true,
      description: "`WIDTHxHEIGHT` in pixels; null: the model's default.",
    }),
    acceptsReferences: t.boolean({ resolve: ({ references }) => references.max > 0 }),
    minReferences: t.int({ resolve: ({ references }) => references.min }),
    maxReferences: t.int({ resolve: ({ references }) => references.max }),
    acceptsMask: t.exposeBoolean('mask'),
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
  fields: (t) => ({ minSide: t.exposeInt('minSide'), maxSide: t.exposeInt('maxSide') }),
});

const Model = builder.objectRef<ListedModel>('Model').implement({
  description: 'What a provider makes images with. What it cannot do is refused before it is paid for.',
  fields: (t) => ({
    id: t.string({ description: 'What `generateImage` takes as `model`.', resolve: ({ model }) => model.id }),
    provider: t.string({ resolve: ({ model }) => model.provider }),
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
      resolve: ({ model }) => ('minSide' in model.sizes ? model.sizes : null),
    }),
    defaultSize: t.string({ resolve: ({ model }) => model.defaultSize }),
    qualities: t.stringList({ resolve: ({ model }) => [...model.qualities] }),
    styles: t.stringList({ resolve: ({ model }) => [...model.styles] }),
    formats: t.stringList({ resolve: ({ model }) => [...model.formats] }),
    maxPromptLength: t.int({ resolve: ({ model }) => model.maxPromptLength }),
    maxReferences: t.int({
      description: '0: it makes new pictures only.',
      resolve: ({ model }) => model.edits?.maxReferences ?? 0,
    }),
    acceptsMask: t.boolean({ resolve: ({ model }) => model.edits?.mask ?? false }),
    acceptsSeed: t.boolean({ resolve: ({ model }) => model.seeds }),
    transparency: t.boolean({ resolve: ({ model }) => model.transparency }),
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
