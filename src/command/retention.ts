import type { Database } from '../database/database.ts';
import { FixativeError, InputError } from '../errors.ts';
import type { Services } from '../graphql/context.ts';
import { executeRun } from '../image/maintenance/execute.ts';
import { findRuns, type MaintenanceRun } from '../image/maintenance/run.ts';
import {
  createPolicy,
  deletePolicy,
  listPolicies,
  type PolicySnapshot,
  requirePolicy,
  updatePolicy,
} from '../image/retention/policy.ts';
import { previewRetention, startRetention } from '../image/retention/retention.ts';
import { describeReason, REASONS, type RetentionRule } from '../image/retention/rule.ts';
import type { RetentionResult } from '../image/retention/work.ts';
import { makeMaintenanceWorks } from '../job/maintenance-works.ts';
import { formatBytes } from '../storage/spool/format-bytes.ts';
import { EXIT, type ExitCode, formatTable, type Terminal } from './terminal.ts';

/** Values of the options of `retention set`, as they were typed. `none` removes a limit. */
export interface SetRetentionCommand {
  readonly images?: string;
  readonly maxAgeDays?: string;
  readonly ageOf?: string;
  readonly maxCount?: string;
  readonly maxBytes?: string;
  readonly per?: string;
  readonly keepNewest?: string;
  readonly maxShare?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
  readonly json: boolean;
}

interface RetentionApp {
  readonly database: Database;
  readonly services: Services;
}

const print = (terminal: Terminal, value: unknown) => terminal.out(`${JSON.stringify(value)}\n`);

/** `retention list`: one line for each policy. */
export async function runListRetention(
  { database }: RetentionApp,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const policies = await listPolicies(database);
  if (json) for (const policy of policies) print(terminal, policy);
  else if (policies.length === 0) terminal.note('There are no retention policies.\n');
  else {
    const rows = policies.map(({ name, enabled, source, rule }) => [
      name,
      enabled ? 'enabled' : 'disabled',
      source.toLowerCase(),
      limitsOf(rule),
      rule.images ? JSON.stringify(rule.images) : 'all',
    ]);
    terminal.out(`${formatTable([['policy', 'state', 'source', 'goes', 'images'], ...rows])}\n`);
  }
  return EXIT.ok;
}

/** Returns the limits of a rule for people. */
function limitsOf(rule: RetentionRule): string {
  const limits = { AGE: rule.maxAgeDays, COUNT: rule.maxCount, BYTES: rule.maxBytes };
  const each = rule.per === 'ALL' ? '' : ` (per ${rule.per.toLowerCase()})`;
  const reasons = REASONS.filter((reason) => limits[reason] != null).map((reason) =>
    describeReason(rule, reason),
  );
  return `${reasons.join('; ')}${each}`;
}

/** `retention set`: creates a policy, or changes what the options name. */
export async function runSetRetention(
  app: RetentionApp,
  name: string,
  options: SetRetentionCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const enabled = options.disable ? false : options.enable ? true : undefined;
  const rule = ruleOf(options);
  const isThere = (await listPolicies(app.database)).some((policy) => policy.name === name);
  const policy = isThere
    ? await updatePolicy(app, name, { enabled, rule })
    : await createPolicy(app, { name, enabled: enabled ?? true, rule });
  if (options.json) print(terminal, policy);
  else terminal.out(`Policy ${name} is ${isThere ? 'changed' : 'created'}: ${limitsOf(policy.rule)}.\n`);
  return EXIT.ok;
}

function ruleOf(options: SetRetentionCommand): Record<string, unknown> {
  const number = (text: string | undefined) =>
    text === undefined ? undefined : text === 'none' ? null : Number(text);
  return {
    images:
      options.images === undefined ? undefined : options.images === 'none' ? null : filterOf(options.images),
    maxAgeDays: number(options.maxAgeDays),
    ageOf: options.ageOf?.toUpperCase(),
    maxCount: number(options.maxCount),
    maxBytes: number(options.maxBytes),
    per: options.per?.toUpperCase(),
    keepNewest: number(options.keepNewest),
    maxShare: number(options.maxShare),
  };
}

function filterOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError('INVALID_INPUT', '--images is not valid JSON.', { cause });
  }
}

/** `retention delete`: deletes a policy. */
export async function runDeleteRetention(
  app: RetentionApp,
  name: string,
  terminal: Terminal,
): Promise<ExitCode> {
  await deletePolicy(app, name);
  terminal.out(`Policy ${name} is deleted.\n`);
  return EXIT.ok;
}

/** `retention preview`: what a run would put into the trash. Returns exit code 3 when it would not begin. */
export async function runPreviewRetention(
  { database, services }: RetentionApp,
  name: string,
  { first, json }: { readonly first: number; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const policy = await requirePolicy(database, name);
  const preview = await previewRetention(services, policy, { first });
  if (json) print(terminal, { ...preview, policy: undefined, name });
  else {
    terminal.out(summaryOf(policy, preview));
    if (preview.freedBytes !== null)
      terminal.out(`Their purge would free ${formatBytes(preview.freedBytes)} in each store.\n`);
    for (const { id, reason, group } of preview.sample)
      terminal.out(
        `  ${id}: ${describeReason(policy.rule, reason, policy.rule.per === 'ALL' ? null : group)}\n`,
      );
  }
  if (preview.stop === null) return EXIT.ok;
  terminal.note(`${preview.stop}\n`);
  return EXIT.notRight;
}

function summaryOf(
  { name, rule }: PolicySnapshot,
  {
    images,
    bytes,
    scope,
    reasons,
  }: RetentionResult['policies'][number] | Awaited<ReturnType<typeof previewRetention>>,
): string {
  const lines = reasons.map(
    (each) => `  ${each.images} ${describeReason(rule, each.reason)}, ${formatBytes(each.bytes)}\n`,
  );
  return `${name}: ${images} of ${scope.images} images, ${formatBytes(bytes)}.\n${lines.join('')}`;
}

/**
 * `retention run`: runs a policy, or all that are enabled. The run is in the queue too, so a server continues
 * it when this process is killed. Returns exit code 3 when a policy would take more than its share.
 */
export async function runRetention(
  { database, services }: RetentionApp,
  {
    name,
    maxShare,
    json,
  }: { readonly name: string | null; readonly maxShare: number | null; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  let id: string;
  try {
    const asked = { name, maxShare, startedBy: 'command' };
    ({ id } = await startRetention(services, asked, services.maintenanceQueue.push));
  } catch (error) {
    if (!(error instanceof FixativeError) || error.code !== 'STOPPED') throw error;
    terminal.note(`${error.message}\n`);
    return EXIT.notRight;
  }
  const { retentionMaxShare } = services;
  await executeRun(services, makeMaintenanceWorks({ retentionMaxShare }), id, new AbortController().signal);
  const [run] = await findRuns(database, [id]);
  if (json) print(terminal, run);
  else if (run) report(run, terminal);
  return run?.state === 'COMPLETED' ? EXIT.ok : run?.state === 'STOPPED' ? EXIT.notRight : EXIT.failed;
}

function report(run: MaintenanceRun, terminal: Terminal): void {
  const result = run.result as RetentionResult | null;
  for (const policy of result?.policies ?? [])
    if (policy.stop === null) terminal.out(summaryOf(policy, policy));
  terminal.out(`${run.changed} images are in the trash, ${formatBytes(run.bytes)}; ${run.skipped} stayed.\n`);
  if (run.error !== null) terminal.note(`${run.error}\n`);
}
