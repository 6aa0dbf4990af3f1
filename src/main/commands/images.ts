import { type Command, Option } from 'commander';
import type { BulkChange } from '../../image/bulk/change.ts';
import { VISIBILITIES, type Visibility } from '../../image/image.ts';
import type { ImageFilter } from '../../image/list/conditions.ts';
import type { ImageChanges } from '../../image/update.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { parseFilter, parseJson } from '../options.ts';
import { terminal } from '../terminal.ts';

interface WhichFlags {
  readonly filter?: ImageFilter;
  readonly dryRun: boolean;
  readonly json: boolean;
}

interface UpdateFlags extends WhichFlags {
  readonly tags?: string[];
  readonly addTags?: string[];
  readonly removeTags?: string[];
  readonly metadata?: unknown;
  readonly mergeMetadata?: unknown;
  readonly visibility?: Visibility;
  readonly pin?: boolean;
}

export function registerImages(program: Command): void {
  const images = program.command('images').description('change many images: of some ids, or of a filter');
  const update = which(images.command('update').description('change tags, metadata, visibility or pins'));
  update
    .option('--tags <tag...>', 'tags that replace all tags')
    .option('--add-tags <tag...>', 'tags to add')
    .option('--remove-tags <tag...>', 'tags to remove')
    .option('--metadata <json>', 'JSON object that replaces the metadata', parseJson)
    .option('--merge-metadata <json>', 'JSON object to merge into the metadata', parseJson)
    .addOption(new Option('--visibility <who>', 'who can fetch the bytes').choices(VISIBILITIES))
    .option('--pin', 'let every retention policy keep the images')
    .option('--no-pin', 'let retention policies take the images')
    .action(run((flags: UpdateFlags) => ({ verb: 'UPDATE', changes: changesOf(flags) })));
  which(images.command('delete').description('move images to the trash')).action(
    run(() => ({ verb: 'DELETE' })),
  );
  which(images.command('undelete').description('take images out of the trash')).action(
    run(() => ({ verb: 'UNDELETE' })),
  );
  which(images.command('purge').description('delete images permanently')).action(
    run(() => ({ verb: 'PURGE' })),
  );
}

const which = (command: Command): Command =>
  command
    .argument('[id...]', 'uuids of images')
    .option('--filter <json>', 'the images of a filter, such as \'{"tags":["draft"]}\'', parseFilter)
    .option('--dry-run', 'only say what would become of each image', false)
    .option('--json', 'print one JSON line for each image, and one for the summary', false);

const run = <Flags extends WhichFlags>(changeOf: (flags: Flags) => BulkChange) =>
  action((ids: string[], flags: Flags) =>
    withApp(async ({ services }) => {
      const { runImages } = await import('../../command/images.ts');
      return runImages(services, changeOf(flags), { ids, ...flags }, terminal);
    }),
  );

function changesOf({ pin, ...flags }: UpdateFlags): ImageChanges {
  const { tags, addTags, removeTags, metadata, mergeMetadata, visibility } = flags;
  return { tags, addTags, removeTags, metadata, mergeMetadata, visibility, pinned: pin };
}
