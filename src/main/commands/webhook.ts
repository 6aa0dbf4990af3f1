import { type Command, Option } from 'commander';
import {
  type ReplayCommand,
  runCreateWebhook,
  runDeleteWebhook,
  runListDeliveries,
  runListWebhooks,
  runReplay,
  runRotateSecret,
  runTestWebhook,
  runUpdateWebhook,
  type WebhookOptions,
} from '../../command/webhook/webhook.ts';
import { IMAGE_ORIGINS } from '../../image/image.ts';
import { MAX_OVERLAP_HOURS } from '../../webhook/endpoints.ts';
import { WEBHOOK_EVENT_TYPES } from '../../webhook/event-types.ts';
import { action } from '../action.ts';
import { withDatabase, withWebhooks } from '../open.ts';
import { NO_LIMIT, parsePastTime, parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

const ID = 'id of the webhook, as `webhook list` shows it';

export function registerWebhook(program: Command): void {
  const webhook = program.command('webhook').description('create, list and change webhooks');
  registerChanges(webhook);
  registerDeliveries(webhook);
}

const withValues = (command: Command) =>
  command
    .option('--description <text>', 'description, for people')
    .addOption(
      new Option('--event <type...>', 'only these events; default: all').choices(
        Object.keys(WEBHOOK_EVENT_TYPES),
      ),
    )
    .option('--user <id...>', 'only images of these users')
    .option('--tool <name...>', 'only images of these tools')
    .option('--tag <tag...>', 'only images with one of these tags')
    .addOption(new Option('--origin <origin...>', 'only images of these origins').choices(IMAGE_ORIGINS));

function registerChanges(webhook: Command): void {
  withValues(
    webhook
      .command('create')
      .description('create a webhook; its secret is shown only once')
      .argument('<url>'),
  ).action(
    action((url: string, options: WebhookOptions) =>
      withWebhooks((deps) => runCreateWebhook(deps, { url, ...options }, terminal)),
    ),
  );
  withValues(
    webhook
      .command('update')
      .description('change a webhook; options that are left out stay as they are')
      .argument('<id>', ID)
      .option('--url <url>', 'where to send events'),
  ).action(
    action((id: string, options: WebhookOptions & { url?: string }) =>
      withWebhooks((deps) => runUpdateWebhook(deps, id, options, terminal)),
    ),
  );
  for (const enabled of [true, false])
    webhook
      .command(enabled ? 'enable' : 'disable')
      .description(enabled ? 'send events again, and those that are pending' : 'send no events')
      .argument('<id>', ID)
      .action(
        action((id: string) => withWebhooks((deps) => runUpdateWebhook(deps, id, { enabled }, terminal))),
      );
  webhook
    .command('delete')
    .description('delete a webhook with its deliveries')
    .argument('<id>', ID)
    .action(action((id: string) => withWebhooks((deps) => runDeleteWebhook(deps, id, terminal))));
  webhook
    .command('rotate')
    .description('make a new secret; the previous one signs too for a while')
    .argument('<id>', ID)
    .option(
      '--overlap-hours <number>',
      'hours that the previous secret signs too; default: 24',
      parseWholeNumber('--overlap-hours', 0, MAX_OVERLAP_HOURS),
    )
    .action(
      action((id: string, { overlapHours }: { overlapHours?: number }) =>
        withWebhooks((deps) => runRotateSecret(deps, id, overlapHours, terminal)),
      ),
    );
}

function registerDeliveries(webhook: Command): void {
  webhook
    .command('list')
    .description('list the webhooks')
    .option('--json', 'print one JSON line for each webhook', false)
    .action(
      action((options: { json: boolean }) =>
        withDatabase((database) => runListWebhooks(database, options, terminal)),
      ),
    );
  webhook
    .command('deliveries')
    .description('list deliveries of a webhook with their last answers, newest first')
    .argument('<id>', ID)
    .option('--limit <number>', 'most deliveries to print', parseWholeNumber('--limit', 1, NO_LIMIT), 50)
    .option('--json', 'print one JSON line for each delivery', false)
    .action(
      action((id: string, options: { limit: number; json: boolean }) =>
        withDatabase((database) => runListDeliveries(database, id, options, terminal)),
      ),
    );
  webhook
    .command('test')
    .description('send an event of the type webhook.test')
    .argument('<id>', ID)
    .action(action((id: string) => withWebhooks((deps) => runTestWebhook(deps, id, terminal))));
  webhook
    .command('replay')
    .description('deliver the failed events of a time range again')
    .argument('<id>', ID)
    .requiredOption(
      '--since <when>',
      'events of the last 90d, 12h or 30m, or since an RFC 3339 time',
      parsePastTime,
    )
    .option('--until <when>', 'events before then', parsePastTime)
    .option('--delivered', 'also those that were delivered', false)
    .action(
      action((id: string, options: ReplayCommand) =>
        withWebhooks((deps) => runReplay(deps, id, options, terminal)),
      ),
    );
}
