import type { DuplicateError } from '../errors.ts';
import { builder } from './builder.ts';
import { Image } from './image.ts';
import { type Fault, UserError } from './user-error.ts';

builder.objectRef<Fault<DuplicateError>>('DuplicateError').implement({
  description: 'The user has an image of the same bytes already.',
  interfaces: [UserError],
  fields: (t) => ({
    image: t.field({
      type: Image,
      nullable: true,
      description: 'The image that is there.',
      resolve: ({ fault }, _args, { imageByUuid }) => imageByUuid.load(fault.uuid),
    }),
  }),
});
