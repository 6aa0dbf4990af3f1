/** Sums the metrics of several server processes. They ask each other by messages. */
import type { Worker } from 'node:cluster';
import type { Scrape } from '../http/serve-metrics.ts';
import { type Measured, type ProcessMetrics, sumOf, textOf } from '../metrics.ts';
import { withTimeLimit } from '../time.ts';

/** From the primary process. */
export type MetricsToServer =
  /** A question for the metrics of the process; with `shared`, for the shared gauges too. */
  | { readonly measure: number; readonly shared: boolean }
  /** The answer to `scrape`; null: no process answered. */
  | { readonly scraped: number; readonly text: string | null };

export type MetricsFromServer =
  /** The answer to `measure`; null: they could not be read. */
  | { readonly measured: number; readonly metrics: Answer | null }
  /** A question for the metrics of all processes. */
  | { readonly scrape: number };

interface Answer {
  readonly own: Measured;
  /** null: not asked for. */
  readonly shared: string | null;
}

/** Time limit for the answer of a process. */
const ANSWER_MS = 8000;

/** The primary process's side. */
export interface Measuring {
  readonly scrape: Scrape;
  hear(worker: Worker, message: MetricsFromServer): void;
  /** Keeps the counters of a process that has ended, so that the sums never fall. */
  noteEnd(worker: Worker): void;
}

/** @param running the server processes. */
export function makeMeasuring(running: ReadonlySet<Worker>): Measuring {
  const waiting = new Map<number, (answer: Answer | null) => void>();
  const last = new Map<Worker, Measured>();
  let ended: Promise<Measured> = Promise.resolve([]);
  let asked = 0;

  function ask(worker: Worker, shared: boolean): Promise<Answer | null> {
    const id = ++asked;
    const answer = new Promise<Answer | null>((resolve) => waiting.set(id, resolve));
    if (worker.isConnected()) worker.send({ measure: id, shared } satisfies MetricsToServer);
    else waiting.get(id)?.(null);
    return withTimeLimit(ANSWER_MS, answer, () => null).finally(() => waiting.delete(id));
  }

  async function scrape(): Promise<string> {
    let answered = 0;
    const answers = await Promise.all(
      [...running].map(async (worker, index) => {
        const answer = await ask(worker, index === 0);
        if (answer) answered++;
        if (answer && running.has(worker)) last.set(worker, answer.own);
        // A process that answers late counts as it was: a sum that falls looks like a restart.
        return { worker, own: answer?.own ?? last.get(worker) ?? [], shared: answer?.shared ?? null };
      }),
    );
    if (answered === 0) throw new Error('No server process has answered.');
    const shared = answers.find((answer) => answer.shared !== null)?.shared ?? '';
    // One that has ended meanwhile is in `ended`.
    const [before, still] = [ended, answers.filter(({ worker }) => running.has(worker))];
    return textOf([await before, ...still.map(({ own }) => own)], shared);
  }

  return {
    scrape,
    hear(worker, message) {
      if ('measured' in message) return waiting.get(message.measured)?.(message.metrics);
      const reply = (text: string | null) => {
        if (worker.isConnected()) worker.send({ scraped: message.scrape, text } satisfies MetricsToServer);
      };
      scrape().then(reply, () => reply(null));
    },
    noteEnd(worker) {
      const measured = last.get(worker);
      last.delete(worker);
      if (!measured) return;
      const counters = measured.filter(({ type }) => `${type}` === 'counter' || `${type}` === 'histogram');
      ended = ended.then((before) => sumOf([before, counters]));
    },
  };
}

/** A server process's side. */
export interface Answering {
  readonly scrape: Scrape;
  hear(message: MetricsToServer): void;
  answerWith(metrics: ProcessMetrics): void;
}

/** @param send sends a message to the primary process. */
export function makeAnswering(send: (message: MetricsFromServer) => void): Answering {
  const waiting = new Map<number, (text: string | null) => void>();
  let metrics: ProcessMetrics | null = null;
  let asked = 0;

  async function answer(shared: boolean): Promise<Answer | null> {
    if (!metrics) return null;
    return { own: await metrics.own(), shared: shared ? await metrics.shared() : null };
  }

  return {
    async scrape() {
      const id = ++asked;
      const scraped = new Promise<string | null>((resolve) => waiting.set(id, resolve));
      send({ scrape: id });
      const text = await withTimeLimit(2 * ANSWER_MS, scraped, () => null).finally(() => waiting.delete(id));
      if (text === null) throw new Error('The primary process has not answered.');
      return text;
    },
    hear(message) {
      if ('scraped' in message) return waiting.get(message.scraped)?.(message.text);
      const { measure, shared } = message;
      answer(shared).then(
        (answered) => send({ measured: measure, metrics: answered }),
        () => send({ measured: measure, metrics: null }),
      );
    },
    answerWith(given) {
      metrics = given;
    },
  };
}
