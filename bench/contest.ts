import { isDeepStrictEqual } from 'node:util';
import { fetch } from 'undici';
import { cpuSecondsOfFamily } from './cpu.ts';
import { type LoadResult, loadTarget, type Subject, type Target } from './load.ts';

export interface Rules {
  readonly connections: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly warmUpSeconds: number;
  readonly signal: AbortSignal;
}

/** The product and its limit, compared by one kind of request. */
export interface Contest {
  readonly name: string;
  /** Description for the table. */
  readonly about: string;
  readonly ours: Contestant;
  readonly limit: Contestant;
}

export interface Contestant {
  readonly target: Target;
  /** Requests, sent in turn so that no row is hot. */
  readonly subjects: readonly Subject[];
  /** Replaces `loadTarget`. */
  readonly load?: (options: Parameters<typeof loadTarget>[2]) => Promise<LoadResult>;
}

export interface SideResult {
  /** Requests a second, median of the rounds. */
  readonly rate: number;
  /** CPU time of the server for a request, in microseconds, over all rounds; null where it is unknown. */
  readonly cpuMicros: number | null;
  /** CPU time of PostgreSQL for a request, in microseconds, over all rounds; null where it is unknown. */
  readonly databaseMicros: number | null;
  readonly rates: readonly number[];
  readonly wrong: number;
}

export interface ContestResult {
  readonly name: string;
  readonly about: string;
  readonly ours: SideResult;
  readonly limit: SideResult;
  /** Rate of the product divided by the rate of the limit, over the rounds. */
  readonly ratio: { readonly min: number; readonly median: number; readonly max: number };
}

/**
 * Sends each body to both and compares the responses as JSON.
 * @throws WrongResponse when they differ.
 */
export async function agreeOnJson(
  name: string,
  targets: { readonly ours: Target; readonly limit: Target },
  bodies: readonly string[],
): Promise<Pick<Contest, 'ours' | 'limit'>> {
  const subjects = { ours: [] as Subject[], limit: [] as Subject[] };
  for (const body of bodies) {
    const [ours, limit] = await Promise.all([sendQuery(targets.ours, body), sendQuery(targets.limit, body)]);
    if (ours.status !== 200 || limit.status !== 200 || !isDeepStrictEqual(ours.json, limit.json))
      throw new WrongResponse(
        `${name}: the responses differ.\nrequest: ${body}\n${firstDifference(ours.text, limit.text)}`,
      );
    const subject = { headers: JSON_HEADERS, body };
    subjects.ours.push({ ...subject, answerBytes: Buffer.byteLength(ours.text) });
    subjects.limit.push({ ...subject, answerBytes: Buffer.byteLength(limit.text) });
  }
  return {
    ours: { target: targets.ours, subjects: subjects.ours },
    limit: { target: targets.limit, subjects: subjects.limit },
  };
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

function firstDifference(ours: string, limit: string): string {
  let at = 0;
  while (at < ours.length && ours[at] === limit[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 200), at + 200);
  return `ours:  …${around(ours)}…\nlimit: …${around(limit)}…`;
}

export class WrongResponse extends Error {}

export async function sendQuery(target: Target, body: string) {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...target.headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, text, json: response.ok ? (JSON.parse(text) as unknown) : null };
}

/**
 * Loads the product and the limit in alternating rounds, so that other work of the machine affects both. The
 * length of every response is checked.
 * @param databasePid process id of the postmaster.
 */
export async function runContest(
  contest: Contest,
  rules: Rules,
  databasePid: number,
): Promise<ContestResult> {
  const sides = ['ours', 'limit'] as const;
  const warmUp = { ...rules, seconds: rules.warmUpSeconds };
  const loadSide = (side: (typeof sides)[number], options: Parameters<typeof loadTarget>[2]) =>
    contest[side].load?.(options) ?? loadTarget(contest[side].target, contest[side].subjects, options);
  for (const side of sides) await loadSide(side, warmUp);

  const results = { ours: [] as Measured[], limit: [] as Measured[] };
  for (let round = 0; round < rules.rounds; round++) {
    for (const side of sides) {
      const before = await cpuSecondsOfFamily(databasePid);
      const result = await loadSide(side, { ...rules, seconds: rules.secondsPerRound });
      const after = await cpuSecondsOfFamily(databasePid);
      const databaseSeconds = before === null || after === null ? null : after - before;
      results[side].push({ ...result, databaseSeconds });
    }
  }
  const [ours, limit] = [summarize(results.ours), summarize(results.limit)];
  const ratios = ours.rates.map((rate, round) => rate / (limit.rates[round] as number));
  return {
    name: contest.name,
    about: contest.about,
    ours,
    limit,
    ratio: { min: Math.min(...ratios), median: median(ratios), max: Math.max(...ratios) },
  };
}

interface Measured extends LoadResult {
  readonly databaseSeconds: number | null;
}

function summarize(rounds: readonly Measured[]): SideResult {
  const requests = sum(rounds.map((round) => round.requests));
  const micros = (seconds: readonly (number | null)[]) =>
    seconds.includes(null) ? null : (sum(seconds as number[]) / requests) * 1e6;
  const rates = rounds.map((round) => round.requests / round.seconds);
  return {
    rate: median(rates),
    cpuMicros: micros(rounds.map((round) => round.cpuSeconds)),
    databaseMicros: micros(rounds.map((round) => round.databaseSeconds)),
    rates,
    wrong: sum(rounds.map((round) => round.wrong)),
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
}
