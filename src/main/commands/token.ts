import type { Command } from 'commander';
import { SCOPES } from '../../auth/caller.ts';
import {
  type CreateTokenCommand,
  runCreateToken,
  runListTokens,
  runRevokeTokens,
} from '../../command/token.ts';
import { action } from '../action.ts';
import { withTokens } from '../open.ts';
import { parseExpiry } from '../options.ts';
import { terminal } from '../terminal.ts';

export function registerToken(program: Command): void {
  const tokenCommand = program.command('token').description('create, list and revoke API tokens');

  tokenCommand
    .command('create')
    .description('create an API token; it is shown only once')
    .requiredOption('--name <name>', 'name of the token, for people')
    .requiredOption('--scope <scope...>', `what the token allows: ${Object.keys(SCOPES).join(', ')}`)
    .option(
      '--user <id>',
      'user whose images the token sees and changes; default: a service, which may act for any user',
    )
    .option(
      '--expires <when>',
      'expire in 90d, 12h or 30m, or at an ISO 8601 time; default: never',
      parseExpiry,
    )
    .option('--json', 'print JSON', false)
    .action(
      action((options: CreateTokenCommand) =>
        withTokens((tokens) => runCreateToken(tokens, options, terminal)),
      ),
    );

  tokenCommand
    .command('list')
    .description('list API tokens')
    .option('--revoked', 'also list revoked tokens', false)
    .option('--json', 'print one JSON line for each token', false)
    .action(
      action((options: { revoked: boolean; json: boolean }) =>
        withTokens((tokens) => runListTokens(tokens, options, terminal)),
      ),
    );

  tokenCommand
    .command('revoke')
    .description('revoke API tokens; servers notice within ten seconds')
    .argument('<id...>', 'ids of the tokens, as `token list` shows them')
    .action(action((ids: string[]) => withTokens((tokens) => runRevokeTokens(tokens, ids, terminal))));
}
