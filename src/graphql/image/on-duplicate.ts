import { builder } from '../builder/builder.ts';

export const OnDuplicate = builder.enumType('OnDuplicate', {
  description:
    'What becomes of bytes of which the user has an image already; one in the trash does not count.',
  values: {
    CREATE: { value: 'create', description: 'One more image; the bytes are kept once all the same.' },
    REUSE: { value: 'reuse', description: 'The image that is there is answered, unchanged.' },
    ERROR: { value: 'error', description: 'A `DuplicateError` that names it.' },
  } as const,
});
