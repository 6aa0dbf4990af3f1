import { InputError } from '../../errors.ts';
import type { QuarantinedFile as File } from '../../storage/service.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';

const MAX_FILES = 1000;

const QuarantinedFile = builder.objectRef<File>('QuarantinedFile').implement({
  description: 'A file that was in a store without a record in the database, and was moved into quarantine.',
  fields: (t) => ({
    store: t.exposeString('store', { description: 'Name of the store that it was moved from.' }),
    key: t.exposeString('key', { description: 'Key of the object in that store; it contains `sha256`.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the bytes, by the name of the object.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Size in bytes.' }),
    quarantinedAt: t.expose('quarantinedAt', {
      type: 'DateTime',
      description: 'When it was moved into quarantine.',
    }),
    deletedAfter: t.expose('deletedAfter', {
      type: 'DateTime',
      description:
        'When QUARANTINE_DAYS (a server setting) have passed. The first `restore --all` after this time deletes the file.',
    }),
  }),
});

builder.queryField('quarantine', (t) =>
  t.field({
    type: [QuarantinedFile],
    description:
      'Returns the files in the quarantine of this server (`DATA_DIR/quarantine`), newest first. Other servers have a quarantine of their own, unless they share the directory.',
    extensions: { scope: 'admin', cost: LIST_COST },
    args: {
      first: t.arg.int({ defaultValue: 100, description: `Number of files to return, 0 to ${MAX_FILES}.` }),
    },
    resolve: (_root, args, { services }) => {
      const first = args.first ?? 100;
      if (first < 0 || first > MAX_FILES) {
        const message = `first is ${first}; it must be an integer from 0 to ${MAX_FILES}.`;
        throw new InputError('INVALID_INPUT', message, { path: ['first'] });
      }
      return services.storage.quarantined(first);
    },
  }),
);
