import path from 'node:path';
import { fetch } from 'undici';
import type { Bench } from './bench.ts';
import { type ContestResult, runContest, WrongResponse } from './contest.ts';
import type { Target } from './load.ts';
import { startServer } from './servers.ts';
import { claimStore, proveLimit, proveOurs, warmedUp } from './upload.ts';

/**
 * Concurrent generations that both sides allow. Each waits for the provider, two writes and several commits.
 */
const CONNECTIONS = 8;
const MODEL = 'instant';
const GENERATE = `mutation($input: GenerateImageInput!) {
  generateImage(input: $input) { images { status sha256 bytes } userErrors { message } }
}`;
const JSON_TYPE = { 'content-type': 'application/json' };

/**
 * Measures a generation from the request to the response with the image. Both sides call the same provider,
 * which responds at once.
 */
export async function benchGeneration(bench: Bench): Promise<ContestResult[]> {
  const stops: (() => Promise<void>)[] = [];
  const start: typeof startServer = async (args, options) => {
    const server = await startServer(args, options);
    stops.push(() => server.stop());
    return server;
  };
  const { directory, databaseUrl, poolSize, rootToken } = bench;
  try {
    await claimStore(bench);
    const provider = await start(['bench/limits/instant-provider.ts'], { directory, env: {} });
    const product = await bench.startProduct(['serve'], {
      OPENAI_COMPATIBLE_BASE_URL: new URL('/v1', provider.url).href,
      OPENAI_COMPATIBLE_MODELS: MODEL,
      GENERATIONS_PER_PROVIDER: String(CONNECTIONS),
      GENERATIONS_PER_USER: String(CONNECTIONS),
    });
    stops.push(() => product.stop());
    const limit = await start(['bench/limits/generation.ts'], {
      directory,
      env: {
        DATABASE_URL: databaseUrl,
        DATABASE_POOL_SIZE: String(poolSize),
        DIRECTORY: path.join(directory, 'generation-limit'),
        PROVIDER_URL: new URL('/v1/images/generations', provider.url).href,
        PLACES: String(CONNECTIONS),
      },
    });
    const ours: Target = { ...product, headers: { authorization: `Bearer ${rootToken}` } };
    const input = { prompt: 'a lighthouse', model: MODEL, waitSeconds: 60 };
    const bodies = {
      ours: JSON.stringify({ query: GENERATE, variables: { input } }),
      limit: JSON.stringify({ prompt: input.prompt }),
    };
    const others: Target = { ...limit, headers: {} };
    const made = {
      ours: await generateOne(ours, bodies.ours),
      limit: await generateOne(others, bodies.limit),
    };
    await proveOurs({ ...bench, product }, [made.ours.sha256]);
    await proveLimit(limit, [made.limit.sha256]);
    const side = (target: Target, body: string, answerBytes: number) => ({
      target,
      subjects: [{ headers: JSON_TYPE, body, answerBytes }],
    });
    const result = await runContest(
      {
        name: 'generation',
        about: `generateImage of 1.2 MB of PNG until it is kept, an instant provider, ${CONNECTIONS} connections`,
        ours: side(ours, bodies.ours, made.ours.answerBytes),
        limit: side(others, bodies.limit, made.limit.answerBytes),
      },
      { ...warmedUp(bench.rules), connections: CONNECTIONS },
      bench.databasePid,
    );
    bench.report(result);
    return [result];
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function generateOne(target: Target, body: string): Promise<{ sha256: string; answerBytes: number }> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { ...JSON_TYPE, ...target.headers },
    body,
  });
  const text = await response.text();
  const [, sha256] = /"sha256":"([0-9a-f]{64})"/.exec(text) ?? [];
  if (!sha256) throw new WrongResponse(`A generation got the response ${response.status}: ${text}`);
  return { sha256, answerBytes: Buffer.byteLength(text) };
}
