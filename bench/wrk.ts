import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { cpuSecondsOfFamily } from './cpu.ts';
import type { LoadResult, Target } from './load.ts';

const run = promisify(execFile);

/** Most bytes of a response's headers. */
const MAX_HEADER_BYTES = 1000;

/**
 * Loads a server by wrk, which takes less CPU than a load generator in JavaScript. Requests every path in
 * turn, so that cold files stay cold. Checks the status of each response, and the length of all together. The
 * bytes are compared before.
 * @param options.answerBytes length of each response's body.
 */
export async function loadByWrk(
  target: Target,
  paths: readonly string[],
  options: {
    connections: number;
    seconds: number;
    signal: AbortSignal;
    answerBytes: number;
    directory: string;
  },
): Promise<LoadResult> {
  const script = `${options.directory}/wrk.lua`;
  const headers = Object.entries(target.headers).map(
    ([name, value]) => `wrk.headers["${name}"] = "${value}"`,
  );
  await writeFile(
    script,
    `${headers.join('\n')}
local paths = { ${paths.map((each) => JSON.stringify(each)).join(', ')} }
local requests = {}
local at = 0
function init(args)
  for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"micros":%d,"bytes":%d,"wrong":%d}\\n', summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`,
  );
  const before = await cpuSecondsOfFamily(target.pid);
  const { stdout } = await run(
    'wrk',
    [
      ...['-t', '1', '-c', String(options.connections), '-d', `${Math.max(1, Math.round(options.seconds))}s`],
      ...['--timeout', '10s', '-s', script, target.url.origin],
    ],
    { signal: options.signal },
  );
  const after = await cpuSecondsOfFamily(target.pid);
  const said = JSON.parse(stdout.split('\n').findLast((line) => line.startsWith('{')) ?? '') as {
    requests: number;
    micros: number;
    bytes: number;
    wrong: number;
  };
  const least = said.requests * options.answerBytes;
  const most = (said.requests + options.connections) * (options.answerBytes + MAX_HEADER_BYTES);
  return {
    requests: said.requests,
    wrong: said.wrong + (said.bytes < least || said.bytes > most ? 1 : 0),
    seconds: said.micros / 1e6,
    cpuSeconds: before === null || after === null ? null : after - before,
  };
}
