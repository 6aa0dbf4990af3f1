import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type ExitCode, type Terminal } from '../../command/terminal.ts';
import { escapeControls } from '../../log.ts';

type FindingState = 'ok' | 'warning' | 'error' | 'skipped';

export interface Finding {
  readonly state: FindingState;
  /** The observation, as a sentence. */
  readonly found: string;
  /** Advice to the operator; null: nothing is wrong, or `found` has the advice. */
  readonly remedy: string | null;
}

export const ok = (found: string): Finding => ({ state: 'ok', found, remedy: null });
export const warning = (found: string, remedy: string): Finding => ({ state: 'warning', found, remedy });
export const failure = (found: string, remedy: string | null): Finding => ({
  state: 'error',
  found,
  remedy,
});
export const skipped = (found: string, remedy: string | null = null): Finding => ({
  state: 'skipped',
  found,
  remedy,
});

/** One thing to check. */
export interface Check {
  readonly name: string;
  /** Resolves to what was found. A rejection becomes an error finding. */
  run(): Promise<readonly Finding[]>;
}

export interface DoctorCommand {
  readonly json: boolean;
  /** Seconds that each check may take. */
  readonly seconds: number;
  /** Removes secrets from a text. */
  readonly removeSecrets: (text: string) => string;
}

/**
 * `doctor`: runs the checks at once and prints what each has found, in their order. Returns exit code 3 when
 * one has found an error. Warnings do not change the exit code.
 */
export async function runDoctor(
  checks: readonly Check[],
  { json, seconds, removeSecrets }: DoctorCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const counts: Record<FindingState, number> = { ok: 0, warning: 0, error: 0, skipped: 0 };
  const width = Math.max(...checks.map(({ name }) => name.length));
  const clean = (text: string) => escapeControls(removeSecrets(text));
  const running = checks.map((check) => ({ name: check.name, findings: runCheck(check, seconds) }));
  for (const { name, findings } of running)
    for (const { state, found, remedy } of await findings) {
      counts[state]++;
      const finding = { check: name, state, found: clean(found), remedy: remedy && clean(remedy) };
      if (json) terminal.out(`${JSON.stringify({ type: 'finding', ...finding })}\n`);
      else {
        terminal.out(`${state.padEnd(7)}  ${name.padEnd(width)}  ${finding.found}\n`);
        if (finding.remedy) terminal.out(`${' '.repeat(width + 11)}To do: ${finding.remedy}\n`);
      }
    }
  if (json) terminal.out(`${JSON.stringify({ type: 'summary', ...counts })}\n`);
  else
    terminal.out(
      `\n${counts.error} errors, ${counts.warning} warnings, ${counts.ok} right, ${counts.skipped} not checked.\n`,
    );
  return counts.error > 0 ? EXIT.notRight : EXIT.ok;
}

async function runCheck({ run }: Check, seconds: number): Promise<readonly Finding[]> {
  const stopping = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: stopping.signal }).then(
    () => [
      failure(
        `The check had no answer after ${seconds} seconds.`,
        'Check the network, the firewall and the address, or raise --seconds.',
      ),
    ],
    () => [],
  );
  const result = run().catch((error: unknown) => [
    failure(messageOf(error), 'The check itself failed. Correct what the message names, and run it again.'),
  ]);
  return Promise.race([result, late]).finally(() => stopping.abort());
}

/** Returns the message of an error with those of its causes. `fetch` names the reason only in the cause. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
  const reason = error.cause instanceof Error ? messageOf(error.cause) : '';
  return reason && !inner.includes(reason) ? `${inner}: ${reason}` : inner || error.name;
}
