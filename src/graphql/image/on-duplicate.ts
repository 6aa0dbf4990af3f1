import { builder } from '../builder/builder.ts';

export const OnDuplicate = builder.enumType('OnDuplicate', {
  description:
    'Action if the user already has an image with the same bytes. Images in the trash do not count.',
  values: {
    CREATE: {
      value: 'create',
      description: 'Create another image. The bytes are stored only once all the same.',
    },
    REUSE: { value: 'reuse', description: 'Return the existing image, unchanged.' },
    ERROR: { value: 'error', description: 'Return a `DuplicateError` with the existing image.' },
  } as const,
});
