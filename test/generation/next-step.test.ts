import { describe, expect, test } from 'vitest';
import { FixativeError, ProviderError } from '../../src/errors.ts';
import { type Facts, nextStep, type Step } from '../../src/image/generation/worker/next-step.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const ME = 'this-worker';
const OTHER = 'another-worker';
const ago = (seconds: number) => new Date(NOW - seconds * 1000);

const GENERATION: Facts['generation'] = {
  state: 'queued',
  kind: 'ask',
  calls: 0,
  waitsFor: [],
  response: null,
  askedAt: null,
  askedBy: null,
  runAt: ago(1),
  attempts: [],
};

type Case = Partial<Omit<Facts, 'generation'>> & { generation?: Partial<Facts['generation']> };

const factsOf = ({ generation, ...others }: Case): Facts => ({
  image: { deletedAt: null, errorCode: null },
  ...others,
  generation: { ...GENERATION, ...generation },
});

const stepOf = (each: Case): Step => nextStep(factsOf(each), { now: NOW, workerId: ME, random: 0.5 });

/** Describes a step: what it does, with its seconds or the code of its error. */
function shown(step: Step): string {
  if (step.do === 'fail') return `fail ${(step.error as FixativeError).code}`;
  if (step.do === 'wait' || step.do === 'retry') return `${step.do} ${step.seconds}`;
  return step.do;
}

const response = { address: null, expiresAt: null, revisedPrompt: null, metadata: {} };
const success = { status: 'success', part: null, error: null, errorCode: null, errorRetryable: null };
const failed = {
  status: 'failed',
  part: 'panel-2',
  error: 'No.',
  errorCode: 'PROVIDER_REFUSED',
  errorRetryable: false,
};
const interrupted = { deletedAt: null, errorCode: 'INTERRUPTED' };
const kept = { open: () => {} };

const waiting = { state: 'waiting', waitsFor: [1, 2] } as const;
const called = { state: 'asking', calls: 1, askedAt: ago(60), askedBy: OTHER } as const;
const answered = { ...called, state: 'answered', response } as const;

describe('the next step of a generation', () => {
  test.each<[string, Case, string]>([
    ['waiting', { generation: waiting }, 'read-dependencies'],
    ['whose dependencies are ready', { generation: waiting, dependencies: [success, success] }, 'mark-ready'],
    [
      'with an unfinished dependency',
      { generation: waiting, dependencies: [success, { ...success, status: 'processing' }] },
      'stop',
    ],
    [
      'with a failed dependency',
      { generation: waiting, dependencies: [success, failed] },
      'fail PROVIDER_REFUSED',
    ],
    ['with a purged dependency', { generation: waiting, dependencies: [success] }, 'fail NOT_FOUND'],

    ['queued', {}, 'prepare-request'],
    ['queued and prepared', { prepared: {} }, 'claim'],
    ['queued for later', { generation: { runAt: ago(-90) } }, 'wait 90'],
    ['queued for the next second', { generation: { runAt: ago(-1) } }, 'prepare-request'],
    ['queued and deleted', { image: { deletedAt: ago(5), errorCode: null } }, 'fail CANCELLED'],
    ['queued, of a page', { generation: { kind: 'compose' } }, 'begin-local'],
    ['queued, of a chart', { generation: { kind: 'chart' } }, 'begin-local'],
    ['queued after an earlier call', { generation: { calls: 1 } }, 'find-response'],
    ['queued, whose late response was found', { generation: { calls: 1 }, kept }, 'record-response'],
    ['queued, without a late response', { generation: { calls: 1 }, kept: null }, 'prepare-request'],

    ['claimed by this worker', { generation: called, prepared: {} }, 'call-provider'],
    ['whose response is in memory', { generation: called, arrived: {} }, 'keep-response'],
    ['whose response is on the disk', { generation: called, kept }, 'record-response'],

    ['asking, by another worker', { generation: called }, 'find-response'],
    ['asking, without a response here', { generation: called, kept: null }, 'check-caller'],
    ['whose caller lives', { generation: called, kept: null, callerIsAlive: true }, 'wait 30'],
    ['whose caller is dead', { generation: called, kept: null, callerIsAlive: false }, 'fail INTERRUPTED'],
    [
      'that this worker called for, and broke off',
      { generation: { ...called, askedBy: ME }, kept: null, callerIsAlive: true },
      'fail INTERRUPTED',
    ],
    [
      'whose caller has another directory',
      { generation: called, kept: null, callerIsAlive: null },
      'check-caller-in-database',
    ],
    [
      'whose caller the database sees',
      { generation: called, kept: null, callerIsAlive: null, callerMissingSeconds: null },
      'wait 30',
    ],
    [
      'whose caller is missing for 4 s',
      { generation: called, kept: null, callerIsAlive: null, callerMissingSeconds: 4 },
      'wait 6',
    ],
    [
      'whose caller is missing for 10 s',
      { generation: called, kept: null, callerIsAlive: null, callerMissingSeconds: 10 },
      'fail INTERRUPTED',
    ],
    [
      'whose caller has another directory, lives and called an hour ago',
      {
        generation: { ...called, askedAt: ago(3600) },
        kept: null,
        callerIsAlive: null,
        callerMissingSeconds: null,
      },
      'wait 30',
    ],
    [
      'whose caller has another directory and called longer ago than any call takes',
      { generation: { ...called, askedAt: ago(3600 + 600) }, kept: null, callerIsAlive: null },
      'fail INTERRUPTED',
    ],

    ['answered', { generation: answered }, 'find-response'],
    ['answered, with the bytes', { generation: answered, kept }, 'finish'],
    [
      'answered with an address',
      { generation: { ...answered, response: { ...response, address: 'https://x' } } },
      'finish',
    ],
    ['answered, of a page', { generation: { ...answered, kind: 'compose', response: null } }, 'finish'],
    ['answered, without the bytes', { generation: answered, kept: null }, 'check-caller'],
    [
      'answered, with the bytes in another directory',
      { generation: answered, kept: null, callerIsAlive: null },
      'wait 6',
    ],
    [
      'answered an hour ago, with the bytes in another directory',
      { generation: { ...answered, askedAt: ago(3600) }, kept: null, callerIsAlive: null },
      'wait 60',
    ],
    [
      'answered, with the bytes in another directory for a day',
      { generation: { ...answered, askedAt: ago(24 * 3600) }, kept: null, callerIsAlive: null },
      'fail INTERRUPTED',
    ],
    [
      'answered, whose bytes are lost',
      { generation: answered, kept: null, callerIsAlive: false },
      'fail INTERRUPTED',
    ],

    ['failed', { generation: { state: 'failed' } }, 'stop'],
    ['failed as interrupted', { generation: { state: 'failed' }, image: interrupted }, 'find-response'],
    [
      'failed as interrupted, without a response',
      { generation: { state: 'failed' }, image: interrupted, kept: null },
      'stop',
    ],
    [
      'failed as interrupted, whose response came late',
      { generation: { state: 'failed' }, image: interrupted, kept },
      'record-response',
    ],
    ['done', { generation: { state: 'done' } }, 'discard-response'],
    ['cancelled', { generation: { state: 'cancelled' } }, 'discard-response'],
  ])('%s', (_name, each, expected) => {
    expect(shown(stepOf(each))).toBe(expected);
  });
});

describe('the next step after a failure', () => {
  const limited = new ProviderError(
    'PROVIDER_BUSY',
    'Slow down.',
    { provider: 'openai', retryAfterSeconds: 7 },
    { retryable: true },
  );
  const timeout = new ProviderError(
    'PROVIDER_FAILED',
    'Too slow.',
    { provider: 'openai', paid: true },
    { retryable: true },
  );
  const attempt = (retryAt: string | null) => ({
    startedAt: ago(30).toISOString(),
    endedAt: ago(20).toISOString(),
    code: 'PROVIDER_FAILED',
    message: null,
    retryAt,
  });
  const retried = Array.from({ length: 4 }, () => attempt(ago(10).toISOString()));
  const down = new FixativeError('STORE_UNAVAILABLE', 'The store is down.', { retryable: true });
  const damaged = new FixativeError('DAMAGED_IMAGE', 'Cut short.');

  test.each<[string, Case, string]>([
    [
      'of a call that the provider limits',
      { generation: called, failure: { phase: 'asked', error: limited } },
      'retry 7',
    ],
    [
      'of the fifth call',
      { generation: { ...called, attempts: retried }, failure: { phase: 'asked', error: limited } },
      'fail PROVIDER_BUSY',
    ],
    [
      'of a call that may be paid for',
      { generation: called, failure: { phase: 'asked', error: timeout } },
      'fail PROVIDER_FAILED',
    ],
    ['of a store, before the call', { failure: { phase: 'before', error: down } }, 'retry 1'],
    [
      'of a store, with a paid response',
      { generation: answered, failure: { phase: 'answered', error: down } },
      'retry 1',
    ],
    [
      'of the bytes',
      { generation: answered, failure: { phase: 'answered', error: damaged } },
      'fail DAMAGED_IMAGE',
    ],
  ])('%s', (_name, each, expected) => {
    expect(shown(stepOf(each))).toBe(expected);
  });
});
