import { describe, expect, test } from 'vitest';
import { clampTime, FIRST_TIME, formatMicros, formatTimestamp, LAST_TIME, parseTime } from '../src/time.ts';
import { COMPARE_SEED, compareForSeconds, makeChance } from './compare/chance.ts';

describe('a time as text', () => {
  test.each([
    ['2026-11-21T09:35:00Z', '2026-11-21T09:35:00.000Z'],
    ['2026-11-21t09:35:00.1239z', '2026-11-21T09:35:00.123Z'],
    ['2026-11-21T09:35:00+02:00', '2026-11-21T07:35:00.000Z'],
    ['2026-11-21T23:35:00-05:30', '2026-11-22T05:05:00.000Z'],
    ['2026-11-21 09:35:00', '2026-11-21T09:35:00.000Z'],
    ['2026-11-21T09:35', '2026-11-21T09:35:00.000Z'],
    ['2026-11-21 09:35:00+00', '2026-11-21T09:35:00.000Z'],
    ['2026-11-21', '2026-11-21T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['0001-01-01', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, iso) => {
    expect(parseTime(text)?.toISOString()).toBe(iso);
  });

  test.each([
    ...[
      '',
      '12',
      '2026',
      'yesterday',
      'now',
      '2026-11',
      '2026-11-21T',
      '2026-11-21Z',
      ' 2026-11-21',
      '2026-11-21 ',
    ],
    ...['2025-02-30', '2025-02-29', '2026-13-01', '2026-00-10', '2026-11-00', '2026-04-31'],
    ...['2026-11-21T24:00:00Z', '2026-11-21T09:60:00Z', '2026-11-21T09:35:60Z', '2026-11-21T09:35:00+24:00'],
    ...['10000-01-01', '-001-01-01', '0000-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00'],
    ...[
      '2026-11-21T09:35:00Z Z',
      '2026-11-21T09:35:00 PST',
      '1732181700',
      '２０２６-11-21',
      '2026/11/21',
      'infinity',
    ],
  ])('%j is not a time', (text) => {
    expect(parseTime(text)).toBeNull();
  });

  test('is parsed to the moment that was written, at random times and offsets', async () => {
    await compareForSeconds((seed) => {
      const chance = makeChance(seed);
      const span = LAST_TIME.getTime() - FIRST_TIME.getTime();
      const time = new Date(FIRST_TIME.getTime() + Math.floor(chance.random() * span));
      expect(parseTime(time.toISOString())).toEqual(time);
      const minutes = chance.below(2 * 1439) - 1439;
      const local = new Date(time.getTime() + minutes * 60_000);
      if (local < FIRST_TIME || local > LAST_TIME) return;
      const offset = `${minutes < 0 ? '-' : '+'}${String(Math.floor(Math.abs(minutes) / 60)).padStart(2, '0')}:${String(Math.abs(minutes) % 60).padStart(2, '0')}`;
      const text = local.toISOString().replace('Z', offset);
      expect(parseTime(text), `COMPARE_SEED=${COMPARE_SEED} ${text}`).toEqual(time);
      const micros = BigInt(time.getTime()) * 1000n + BigInt(chance.below(1000));
      expect(formatMicros(micros).slice(0, 23)).toBe(time.toISOString().slice(0, 23));
    }, 1);
  });

  test('is clamped for a row beyond the range', () => {
    expect(formatTimestamp('2026-11-21 19:08:25.12+00')).toBe('2026-11-21T19:08:25.120000Z');
    expect(formatTimestamp('2026-11-21 19:08:25+00')).toBe('2026-11-21T19:08:25.000000Z');
    for (const text of ['infinity', '12026-11-21 00:00:00+00'])
      expect(formatTimestamp(text)).toMatch(/^9999-12-31/);
    for (const text of ['-infinity', '0044-03-15 12:00:00+00 BC', '10044-03-15 12:00:00+00 BC'])
      expect(formatTimestamp(text)).toMatch(/^0001-01-01/);
    expect(clampTime(new Date(Number.NaN))).toEqual(LAST_TIME);
  });
});
