import { type Command, Option } from 'commander';
import { AUDIT_ACTIONS, type AuditAction } from '../../audit/audit.ts';
import { runAudit } from '../../command/audit.ts';
import { action } from '../action.ts';
import { withDatabase } from '../open.ts';
import { NO_LIMIT, parsePastTime, parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

interface AuditOptions {
  readonly subject?: string;
  readonly actor?: string;
  readonly action?: AuditAction[];
  readonly since?: Date;
  readonly until?: Date;
  readonly limit: number;
  readonly json: boolean;
}

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('print who changed which image, token or run, newest first')
    .option('--subject <uuid>', 'only changes of this image, token, upload target or run')
    .option('--actor <name>', 'only changes by this token, user or job')
    .addOption(new Option('--action <action...>', 'only these actions').choices(Object.keys(AUDIT_ACTIONS)))
    .option(
      '--since <when>',
      'only changes of the last 90d, 12h or 30m, or since an RFC 3339 time',
      parsePastTime,
    )
    .option('--until <when>', 'only changes before then', parsePastTime)
    .option('--limit <number>', 'most entries to print', parseWholeNumber('--limit', 1, NO_LIMIT), 100)
    .option('--json', 'print one JSON line for each entry', false)
    .action(
      action(({ action: actions, since, until, ...options }: AuditOptions) =>
        withDatabase((database) =>
          runAudit(database, { ...options, actions, after: since, before: until }, terminal),
        ),
      ),
    );
}
