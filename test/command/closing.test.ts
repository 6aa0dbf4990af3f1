import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeClosing } from '../../src/app/closing.ts';
import { makeLog } from '../../src/log.ts';

const log = makeLog({ level: 'silent', format: 'json', colorize: false, secrets: [] });
const never = () => new Promise<void>(() => {});

test('parts are closed from the last to the first, whatever becomes of the others', async () => {
  const closing = makeClosing({ seconds: 60, log });
  const closed: string[] = [];
  closing.add('first', async () => closed.push('first'));
  closing.add('broken', async () => {
    throw new Error('it is broken');
  });
  closing.add('last', async () => closed.push('last'));
  await closing.run();
  expect(closed).toEqual(['last', 'first']);
});

test('a part that does not come to its end holds up the others for the time that there is, and no longer', async () => {
  const closing = makeClosing({ seconds: 1, log });
  const seconds: number[] = [];
  closing.add('first', async (left) => seconds.push(left));
  closing.add('hung', never);
  closing.add('hung, too', never);
  const from = performance.now();
  await closing.run();
  expect((performance.now() - from) / 1000).toBeLessThan(20);
  expect(seconds[0]).toBeGreaterThan(0);
});

test('a patient part is waited for beyond that, and leaves time to the others', async () => {
  const closing = makeClosing({ seconds: 0.1, log });
  const seconds: number[] = [];
  let isPaid = false;
  closing.add('after', async (left) => {
    expect(isPaid).toBe(true);
    seconds.push(left);
  });
  closing.addPatient('paid', async () => {
    await sleep(1000);
    isPaid = true;
  });
  await closing.run();
  expect(seconds[0]).toBeGreaterThan(1);
});
