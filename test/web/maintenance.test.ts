import { describe, expect, test } from 'vitest';
import { addSample, rateOf, type Sample, secondsLeft, shareOf } from '../../src/web/stores/progress.ts';
import {
  faultsOf,
  restoreInputOf,
  type StartChoice,
  verifyInputOf,
} from '../../src/web/stores/start-input.ts';
import { EXPIRIES, expiryOf, stateOf } from '../../src/web/tokens/expiry.ts';
import { makeRandom } from './random.ts';

describe('the progress of a run', () => {
  test('has the rate of a steady run, however irregularly its numbers come', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = makeRandom(seed);
      const perSecond = 1 + random.integer(500);
      let samples: readonly Sample[] = [];
      let time = 1_000_000;
      for (let count = 0; count < 60; count++) {
        time += 200 + random.integer(3000);
        const checked = (perSecond * (time - 1_000_000)) / 1000;
        samples = addSample(samples, { time, checked, bytes: checked * 7 });
        expect(samples.length).toBeLessThan(110);
      }
      expect(rateOf(samples)?.checked).toBeCloseTo(perSecond);
      expect(rateOf(samples)?.bytes).toBeCloseTo(perSecond * 7);
    }
  });

  test('follows a run that becomes slower', () => {
    let samples: readonly Sample[] = [];
    for (let second = 0; second <= 60; second++)
      samples = addSample(samples, { time: second * 1000, checked: second * 100, bytes: 0 });
    for (let second = 61; second <= 100; second++)
      samples = addSample(samples, { time: second * 1000, checked: 6000 + (second - 60), bytes: 0 });
    expect(rateOf(samples)?.checked).toBeCloseTo(1);
    expect(secondsLeft(rateOf(samples), 6040, 6140)).toBeCloseTo(100);
  });

  test('is not known at first, or while nothing moves', () => {
    const still = (time: number) => ({ time, checked: 5, bytes: 5 });
    expect(rateOf([])).toBeNull();
    expect(rateOf([still(0)])).toBeNull();
    expect(rateOf([still(0), still(500)])).toBeNull();
    const rate = rateOf([still(0), still(5000)]);
    expect(rate).toEqual({ checked: 0, bytes: 0 });
    expect(secondsLeft(rate, 5, 10)).toBeNull();
    expect(secondsLeft({ checked: 1, bytes: 1 }, 5, null)).toBeNull();
  });

  test('begins again when the numbers do', () => {
    const samples = addSample([{ time: 0, checked: 900, bytes: 9 }], { time: 1000, checked: 3, bytes: 1 });
    expect(samples).toEqual([{ time: 1000, checked: 3, bytes: 1 }]);
  });

  test('never has a share above the whole, and has none without a total', () => {
    expect(shareOf(5, null)).toBeNull();
    expect(shareOf(0, 0)).toBe(1);
    expect(shareOf(12, 10)).toBe(1);
    expect(shareOf(5, 10)).toBe(0.5);
    expect(secondsLeft({ checked: 2, bytes: 0 }, 12, 10)).toBe(0);
  });
});

describe('the start of a run', () => {
  const choice: StartChoice = {
    stores: ['disk', 's3'],
    depth: 'deep',
    amount: 100,
    which: 'all',
    user: '',
    maxMissing: '10',
  };

  test('names stores only when some are left out', () => {
    expect(verifyInputOf(choice, ['disk', 's3'])).toEqual({
      deep: true,
      percent: 100,
      maxMissingPercent: 10,
    });
    expect(verifyInputOf({ ...choice, depth: 'shallow' }, ['disk', 's3', 'github'])).toMatchObject({
      deep: false,
      stores: ['disk', 's3'],
    });
    expect(restoreInputOf(choice, ['disk', 's3'])).toEqual({ maxMissingPercent: 10 });
  });

  test('restores what was chosen, in the trash and parts too', () => {
    expect(restoreInputOf({ ...choice, which: 'damaged' }, ['disk', 's3']).filter).toEqual({
      durability: ['DEGRADED', 'AT_RISK', 'LOST'],
      trash: 'INCLUDE',
      parts: true,
    });
    expect(restoreInputOf({ ...choice, which: 'user', user: ' ada ' }, ['disk', 's3']).filter).toEqual({
      userId: 'ada',
      trash: 'INCLUDE',
      parts: true,
    });
  });

  test('says what is missing', () => {
    expect(faultsOf('VERIFY', choice)).toEqual({});
    expect(faultsOf('VERIFY', { ...choice, stores: [] })).toEqual({ stores: true });
    expect(faultsOf('RESTORE', { ...choice, which: 'user', user: ' ' })).toEqual({ user: true });
    expect(faultsOf('VERIFY', { ...choice, which: 'user', user: ' ' })).toEqual({});
    for (const maxMissing of ['', '-1', '101', '1.5', '1e1', 'ten'])
      expect(faultsOf('VERIFY', { ...choice, maxMissing })).toEqual({ maxMissing: true });
    for (const maxMissing of ['0', '7', ' 100 '])
      expect(faultsOf('VERIFY', { ...choice, maxMissing })).toEqual({});
  });
});

describe('the end of a token', () => {
  const now = new Date(2026, 10, 30, 12);

  test('is in the future, or never', () => {
    for (const expiry of EXPIRIES.filter((each) => each !== 'date' && each !== 'never'))
      expect(expiryOf(expiry, '', now)?.getTime()).toBeGreaterThan(now.getTime());
    expect(expiryOf('never', '', now)).toBeNull();
  });

  test('includes the last day, and is refused for a day that is over or does not exist', () => {
    expect(expiryOf('date', '2026-12-31', now)).toEqual(new Date(2027, 0, 1));
    expect(expiryOf('date', '2026-11-30', now)).toEqual(new Date(2026, 11, 1));
    for (const day of ['', '2026-11-29', '2027-02-31', '31.12.2026'])
      expect(expiryOf('date', day, now)).toBeUndefined();
  });

  test('shows in its state', () => {
    const past = new Date(now.getTime() - 1).toISOString();
    const future = new Date(now.getTime() + 1).toISOString();
    expect(stateOf({ revokedAt: null, expiresAt: null }, now)).toBe('active');
    expect(stateOf({ revokedAt: null, expiresAt: future }, now)).toBe('active');
    expect(stateOf({ revokedAt: null, expiresAt: past }, now)).toBe('expired');
    expect(stateOf({ revokedAt: past, expiresAt: past }, now)).toBe('revoked');
  });
});
