import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { parseTextArray, parseTimestamp, typeParserOf } from '../../src/database/driver/type-parsers.ts';

const pgParses = (oid: number, text: string) =>
  (pg.types.getTypeParser(oid) as (text: string) => unknown)(text);

describe('values of PostgreSQL', () => {
  test.each([
    '2026-11-21 19:08:25+00',
    '2026-11-21 19:08:25.1+00',
    '2026-11-21 19:08:25.12+00',
    '2026-11-21 19:08:25.123+00',
    '2026-11-21 19:08:25.123456+00',
    '2026-11-21 19:08:25.999999+00',
    '2026-11-21 19:08:25.0005+00',
    '1000-01-01 00:00:00+00',
    '9999-12-31 23:59:59.999999+00',
    '2024-02-29 00:00:00+00',
    '1969-12-31 23:59:59.5+00',
  ])('reads %s as pg does, by itself', (text) => {
    expect(parseTimestamp(text)).toEqual(pgParses(1184, text));
  });

  test.each([
    '2026-11-21 19:08:25+01',
    '2026-11-21 19:08:25-00',
    '2026-11-21 19:08:25+00:30',
    '2026-11-21 19:08:25+05:30',
    '0001-01-01 00:00:00+00',
  ])('leaves %s to pg', (text) => {
    expect(parseTimestamp(text)).toBeNull();
    expect(typeParserOf(1184)(text)).toEqual(pgParses(1184, text));
  });

  test.each([
    ['0044-03-15 12:00:00+00 BC', '0001-01-01T00:00:00.000Z'],
    ['4713-01-01 00:00:00+00 BC', '0001-01-01T00:00:00.000Z'],
    ['-infinity', '0001-01-01T00:00:00.000Z'],
    ['12026-11-21 19:08:25+00', '9999-12-31T23:59:59.999Z'],
    ['294276-12-31 23:59:59.999999+00', '9999-12-31T23:59:59.999Z'],
    ['infinity', '9999-12-31T23:59:59.999Z'],
  ])('reads %s as the nearest time that can be written: %s', (text, nearest) => {
    expect(parseTimestamp(text)).toBeNull();
    expect((typeParserOf(1184)(text) as Date).toISOString()).toBe(nearest);
  });

  test.each(['{}', '{a}', '{a,b}', '{fox,äö,red-fox,a b}', "{it's}", '{null,Null}'])(
    'reads the tags %s as pg does, by itself',
    (text) => {
      expect(parseTextArray(text)).toEqual(pgParses(1009, text));
    },
  );

  test.each([
    '{NULL}',
    '{a,NULL}',
    '{"a,b"}',
    '{"NULL"}',
    '{"a\\"b",c}',
    '{{a},{b}}',
    '[0:1]={a,b}',
    '{""}',
    '{"{}"}',
    '{"a\\\\b"}',
  ])('leaves the tags %s to pg', (text) => {
    expect(parseTextArray(text)).toBeNull();
    expect(typeParserOf(1009)(text)).toEqual(pgParses(1009, text));
  });
});
