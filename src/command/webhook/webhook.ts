import type { Database } from '../../database/database.ts';
import { migrate } from '../../database/migrate.ts';
import {
  createWebhook,
  deleteWebhook,
  type EndpointDeps,
  type EndpointInput,
  MAX_WEBHOOKS,
  parseWebhookId,
  rotateSecret,
  updateWebhook,
} from '../../webhook/endpoints.ts';
import { replayRange, sendTest } from '../../webhook/replay.ts';
import { EXIT, type ExitCode, formatTable, type Terminal } from '../terminal.ts';

export interface WebhookOptions {
  readonly description?: string;
  readonly event?: string[];
  readonly user?: string[];
  readonly tool?: string[];
  readonly tag?: string[];
  readonly origin?: string[];
}

const inputOf = (options: WebhookOptions): EndpointInput => {
  const { user, tool, tag, origin } = options;
  const hasFilter = [user, tool, tag, origin].some((each) => each !== undefined);
  return {
    description: options.description,
    eventTypes: options.event,
    ...(hasFilter ? { filter: { userIds: user, tools: tool, tags: tag, origins: origin } } : {}),
  };
};

/** `webhook create`: prints only the secret to `out`, so that a script can keep it. */
export async function runCreateWebhook(
  deps: EndpointDeps,
  { url, ...options }: WebhookOptions & { readonly url: string },
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(deps.database);
  const { id, secret } = await createWebhook(deps, { url, ...inputOf(options) });
  terminal.note(`Webhook ${id}. Its secret is shown this once.\n`);
  terminal.out(`${secret}\n`);
  return EXIT.ok;
}

/** `webhook update`, `enable` and `disable`. */
export async function runUpdateWebhook(
  deps: EndpointDeps,
  id: string,
  { url, enabled, ...options }: WebhookOptions & { readonly url?: string; readonly enabled?: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(deps.database);
  terminal.out(`changed  ${await updateWebhook(deps, id, { url, enabled, ...inputOf(options) })}\n`);
  return EXIT.ok;
}

export async function runDeleteWebhook(
  deps: EndpointDeps,
  id: string,
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(deps.database);
  terminal.out(`deleted  ${await deleteWebhook(deps, id)}\n`);
  return EXIT.ok;
}

/** `webhook rotate`: prints only the new secret to `out`. */
export async function runRotateSecret(
  deps: EndpointDeps,
  id: string,
  overlapHours: number | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(deps.database);
  terminal.out(`${(await rotateSecret(deps, id, overlapHours)).secret}\n`);
  return EXIT.ok;
}

export async function runTestWebhook(
  { database }: EndpointDeps,
  id: string,
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(database);
  terminal.out(`queued  ${await sendTest({ database }, id)}\n`);
  return EXIT.ok;
}

export interface ReplayCommand {
  readonly since: Date;
  readonly until?: Date;
  readonly delivered: boolean;
}

export async function runReplay(
  { database }: EndpointDeps,
  id: string,
  { since, until, delivered }: ReplayCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(database);
  const { replayed } = await replayRange({ database }, id, { after: since, before: until, delivered });
  terminal.out(`queued  ${replayed}\n`);
  return EXIT.ok;
}

/** `webhook list`: prints the webhooks, oldest first, without their secrets. */
export async function runListWebhooks(
  database: Database,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(database);
  const found = await database.prisma.webhook.findMany({
    omit: { secret: true, previousSecret: true },
    orderBy: { id: 'asc' },
    take: MAX_WEBHOOKS,
  });
  if (json) for (const each of found) terminal.out(`${JSON.stringify(each)}\n`);
  else {
    const rows = found.map(({ id, url, eventTypes, enabled, disabledReason, failingSince }) => {
      const state = enabled ? 'enabled' : (disabledReason ?? 'disabled');
      const failing = failingSince ? `, failing since ${failingSince.toISOString().slice(0, 16)}` : '';
      return [id, url, eventTypes.join(' ') || '(all)', state + failing];
    });
    terminal.out(`${formatTable([['id', 'url', 'events', 'state'], ...rows])}\n`);
  }
  return EXIT.ok;
}

/** `webhook deliveries`: prints deliveries of a webhook, newest first, with their last attempts. */
export async function runListDeliveries(
  database: Database,
  text: string,
  { limit, json }: { readonly limit: number; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(database);
  const found = await database.prisma.webhookDelivery.findMany({
    where: { webhookId: parseWebhookId(text) },
    include: { event: { select: { type: true } } },
    orderBy: { id: 'desc' },
    take: limit,
  });
  for (const { id, event, state, attempts, createdAt, ...more } of found) {
    if (json) {
      terminal.out(
        `${JSON.stringify({ id, type: event.type, state, attempts, createdAt, ...more, event: undefined })}\n`,
      );
      continue;
    }
    const made = attempts as { status: number | null; error: string | null }[];
    const last = made.at(-1);
    const said = last ? (last.status ?? last.error) : 'no attempt yet';
    terminal.out(
      `${createdAt.toISOString().slice(0, 19)}  ${id}  ${event.type}  ${state}  ${made.length}  ${said}\n`,
    );
  }
  return EXIT.ok;
}
