import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makePicture } from '../pictures.ts';

/** An image service that speaks as OpenAI's does, counts what it is asked, and answers when it is told to. */
export interface Gate {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Prompts of the calls in the order of their arrival. Each call is paid. */
  readonly calls: readonly string[];
  /** Number of calls that wait for an answer. */
  readonly waiting: () => number;
  /** Answers all waiting calls, and later calls at once. */
  open(): void;
  /** Answers the next `after` calls; later calls wait. */
  shut(after?: number): void;
  /** Sets the revised prompt of the next picture. */
  say(words: string): void;
  /** Declines prompts with this beginning, as moderation does; null: declines none. */
  refuse(beginning: string | null): void;
  close(): Promise<void>;
}

export async function openGate(): Promise<Gate> {
  const calls: string[] = [];
  let left = Number.POSITIVE_INFINITY;
  let waiting: (() => void)[] = [];
  let seed = 0;
  let words: string | null = null;
  let refused: string | null = null;

  async function answer(response: ServerResponse, prompt: string): Promise<void> {
    const picture = await makePicture({ width: 64, height: 64, seed: 90_000 + seed++ });
    const b64_json = Buffer.from(picture).toString('base64');
    const revised_prompt = words ?? `${prompt}, revised`;
    words = null;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ created: 1, data: [{ b64_json, revised_prompt }] }));
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { prompt } = JSON.parse(body) as { prompt: string };
    calls.push(prompt);
    if (refused !== null && prompt.startsWith(refused)) {
      response.writeHead(400, { 'content-type': 'application/json' });
      const error = { message: 'No.', type: 'image_generation_user_error', code: 'moderation_blocked' };
      response.end(JSON.stringify({ error }));
      return;
    }
    if (left-- <= 0) await new Promise<void>((resolve) => waiting.push(resolve));
    if (!response.destroyed) await answer(response, prompt);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const open = () => {
    left = Number.POSITIVE_INFINITY;
    for (const release of waiting.splice(0)) release();
  };
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    apiKey: 'sk-gate-0123456789abcdef',
    calls,
    waiting: () => waiting.length,
    open,
    shut: (after = 0) => {
      left = after;
      waiting = [];
    },
    say: (text) => {
      words = text;
    },
    refuse: (beginning) => {
      refused = beginning;
    },
    close: () =>
      new Promise<void>((resolve) => {
        open();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
