import type { BrowserContext, CDPSession, Page } from 'playwright-core';

export interface Subject {
  readonly browser: BrowserContext;
  readonly url: URL;
  readonly token: string;
}

/** Name of a measure, and its value with the unit. */
export type Line = readonly [name: string, value: string];

/** Slowdown of the CPU, as of a phone of the middle class. */
const SLOWDOWN = 4;

/** Opens the gallery. @param slowdown factor by which the CPU of the page is slower. */
async function open(
  { browser, url, token }: Subject,
  slowdown = SLOWDOWN,
): Promise<{ page: Page; session: CDPSession }> {
  const page = await browser.newPage();
  await page.goto(new URL('/login', url).href);
  await page.fill('input[name=token]', token);
  await Promise.all([page.waitForURL(url.href), page.click('button')]);
  const session = await browser.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  return { page, session };
}

/** Measures the bytes and the largest contentful paint of the first view, without a cache. */
export async function measureFirstView(subject: Subject): Promise<Line[]> {
  const { page, session } = await open(subject);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const bytes = countBytes(session);
  await page.addInitScript(() => {
    const times: number[] = [];
    Object.assign(window, { paints: times, shifts: [] });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) times.push(entry.startTime);
    }).observe({ type: 'largest-contentful-paint', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        (window as never as { shifts: number[] }).shifts.push((entry as never as { value: number }).value);
    }).observe({ type: 'layout-shift', buffered: true });
  });
  const paints: number[] = [];
  const shifts: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await page.goto(subject.url.href);
    await page.waitForSelector('[role=gridcell] img');
    await page.waitForTimeout(SETTLE_MS);
    paints.push((await page.evaluate('Math.max(...paints)')) as number);
    shifts.push((await page.evaluate('shifts.reduce((sum, value) => sum + value, 0)')) as number);
  }
  await page.close();
  const perRun = (type: string) => kilobytes((bytes.get(type) ?? 0) / RUNS);
  return [
    ['script of the first view, compressed', perRun('Script')],
    ['style of the first view, compressed', perRun('Stylesheet')],
    [`largest contentful paint, CPU ${SLOWDOWN}× slower, median of ${RUNS}`, milliseconds(median(paints))],
    ['cumulative layout shift, worst', Math.max(...shifts).toFixed(3)],
  ];
}

/** Loads of the first view. */
const RUNS = 5;
/** Milliseconds after the first picture until the page is taken to be at rest. */
const SETTLE_MS = 3000;

/** Counts the bytes received, by type of resource. */
function countBytes(session: CDPSession): Map<string, number> {
  const types = new Map<string, string>();
  const bytes = new Map<string, number>();
  session.on('Network.responseReceived', ({ requestId, type }) => void types.set(requestId, type));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const type = types.get(requestId) ?? 'Other';
    bytes.set(type, (bytes.get(type) ?? 0) + encodedDataLength);
  });
  return bytes;
}

/**
 * Measures interaction to next paint (https://web.dev/articles/inp): the time from an input to the frame that
 * shows its effect, of the slowest interaction.
 */
export async function measureInteractions(subject: Subject): Promise<Line[]> {
  const { page } = await open(subject);
  await page.waitForSelector('[role=gridcell] img');
  await page.waitForTimeout(SETTLE_MS);
  await page.evaluate(() => {
    const slowest: Record<string, number> = {};
    Object.assign(window, { slowest });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceEventTiming[])
        if (entry.interactionId > 0) slowest[entry.name] = Math.max(slowest[entry.name] ?? 0, entry.duration);
    }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
  });
  const cells = page.locator('[role=gridcell]');
  await cells.first().locator('a').focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', ' ', 'ArrowDown', 'ArrowLeft', ' ', 'Escape']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(300);
  }
  await page.keyboard.press('/');
  await page.keyboard.type('snow', { delay: 120 });
  await page.waitForTimeout(1500);
  const slowest = (await page.evaluate('slowest')) as Record<string, number>;
  await page.close();
  return [
    [
      `interaction to next paint, CPU ${SLOWDOWN}× slower, slowest`,
      milliseconds(Math.max(...Object.values(slowest))),
    ],
  ];
}

/** Pixels of one turn of the wheel, and milliseconds between two turns. */
const WHEEL = { pixels: 1600, pause: 40 };

/** Scrolls through rows of images and counts slow frames, memory and requests. */
export async function measureScrolling(
  subject: Subject,
  rows: number,
  note: (text: string) => void,
): Promise<Line[]> {
  const { page, session } = await open(subject, 1);
  const requested = new Map<string, number>();
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    if (request.resourceType() !== 'image' || !pathname.startsWith('/images/')) return;
    requested.set(pathname + search, (requested.get(pathname + search) ?? 0) + 1);
  });
  await page.waitForSelector('[role=gridcell] img');
  await page.evaluate(watchRows);
  await page.mouse.move(600, 500);
  const memory = [await heap(session)];
  for (let passed = 0, reported = 0; passed < rows; ) {
    await page.mouse.wheel(0, WHEEL.pixels);
    await page.waitForTimeout(WHEEL.pause);
    passed = (await page.evaluate('rowsPassed.size')) as number;
    if (passed - reported < rows / 10) continue;
    reported = passed;
    memory.push(await heap(session));
    note(`${passed} rows, ${memory.at(-1)?.toFixed(1)} MB`);
  }
  const frames = (await page.evaluate('frames')) as number[];
  await page.close();
  const slow = frames.filter((time) => time > 50);
  const again = [...requested.values()].filter((count) => count > 1).length;
  return [
    ['rows scrolled', String(rows)],
    ['frames over 50 ms', `${slow.length} of ${frames.length} (${percent(slow.length / frames.length)})`],
    ['longest frame', milliseconds(Math.max(...frames))],
    [
      'memory of scripts at the start, after a tenth, at the end',
      memory
        .filter((_, at) => at < 2 || at === memory.length - 1)
        .map((each) => `${each.toFixed(1)} MB`)
        .join(', '),
    ],
    ['images requested; requested more than once', `${requested.size}; ${again}`],
  ];
}

/** Runs in the page: collects the rows that were shown, and the time of each frame. */
function watchRows(): void {
  const rowsPassed = new Set<string>();
  const frames: number[] = [];
  Object.assign(window, { rowsPassed, frames });
  const collect = () => {
    for (const row of document.querySelectorAll('[role=row]')) {
      const id = row.querySelector<HTMLElement>('[data-id]')?.dataset.id;
      if (id) rowsPassed.add(id);
    }
  };
  let last = performance.now();
  const frame = (now: number) => {
    frames.push(now - last);
    last = now;
    collect();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Returns the megabytes that scripts hold after a garbage collection. */
async function heap(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize / 1e6;
}

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
const milliseconds = (time: number) => `${Math.round(time)} ms`;
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
