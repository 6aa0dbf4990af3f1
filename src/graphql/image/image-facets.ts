import {
  countFacets,
  FACETS,
  type ImageFacet as Facet,
  type ImageFacets as Facets,
  MAX_VALUES,
} from '../../image/list/facets.ts';
import { MAX_READ } from '../../image/list/newest-images.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { selectedFields } from '../builder/selected-fields.ts';
import { conditionsOf, WHICH_IMAGES } from './image-filter.ts';

const ImageFacet = builder.objectRef<Facet>('ImageFacet').implement({
  description: 'A value that a filter of images can have.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The value, to pass in `ImageFilter`.' }),
    count: t.exposeInt('count', {
      description: 'Number of images that have the value, whatever their status.',
    }),
    failed: t.exposeInt('failed', {
      description: 'Number of images that have the value and the status FAILED.',
    }),
    bytes: t.expose('bytes', {
      type: 'BigInt',
      description:
        'Total size of the images that have the value, in bytes. Bytes that several images share count for each of them.',
    }),
  }),
});

const ImageFacets = builder.objectRef<Facets>('ImageFacets').implement({
  description: 'Values that images have, for the choices of a filter.',
  fields: (t) => {
    const facet = (name: (typeof FACETS)[number], what: string) =>
      t.field({
        type: [ImageFacet],
        description: `${what}, most images first, at most ${MAX_VALUES}.`,
        extensions: { cost: LIST_COST },
        resolve: ({ [name]: values }) => [...values],
      });
    return {
      users: facet('users', 'IDs of the owners, for `ImageFilter.userId`'),
      tools: facet('tools', 'Names of the tools, for `ImageFilter.tool`'),
      models: facet('models', 'Names of the models, for `ImageFilter.model`'),
      providers: facet('providers', 'Names of the providers, for `ImageFilter.provider`'),
      tags: facet('tags', 'Tags, for `ImageFilter.tags` and `ImageFilter.anyTag`'),
      complete: t.exposeBoolean('complete', {
        description: `Whether all images that match the filter were counted. Otherwise the newest ${MAX_READ.toLocaleString('en')} were; narrow the filter, for example by \`createdAfter\`.`,
      }),
    };
  },
});

builder.queryField('imageFacets', (t) =>
  t.field({
    type: ImageFacets,
    description:
      'Returns the users, tools, models, providers and tags of the images that `images` lists with the same filter. Only the selected lists are computed.',
    extensions: { scope: 'images:read', cost: { extra: 2000 } },
    args: { filter: t.arg(WHICH_IMAGES) },
    resolve: async (_root, { filter }, context, info) => {
      const selected = selectedFields(info);
      const names = FACETS.filter((name) => selected.has(name));
      const database = await context.services.reads();
      return countFacets({ database }, await conditionsOf(context, filter), { names });
    },
  }),
);
