import { GraphQLError } from 'graphql';
import { JSONResolver } from 'graphql-scalars';
import { Upload } from 'graphql-upload-minimal';
import { clampTime, parseTime } from '../../time.ts';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description:
    'A point in time, from year 1 to 9999. Output: RFC 3339 in UTC with milliseconds, such as `2026-11-21T09:35:00.000Z`. Input: RFC 3339 with any offset; without an offset the time is in UTC, and a day alone is its midnight.',
  serialize: (value) => {
    if (value instanceof Date) return clampTime(value).toISOString();
    throw new GraphQLError('A DateTime is made of a Date.');
  },
  parseValue: (value) => {
    const time = typeof value === 'string' ? parseTime(value) : null;
    if (time) return time;
    throw new GraphQLError(
      `Expected a time as RFC 3339 writes it, such as "2026-11-21T09:35:00Z"; found ${JSON.stringify(value)?.slice(0, 100)}.`,
    );
  },
});

builder.addScalarType('JSON', JSONResolver, { description: 'Any JSON value.' });

builder.scalarType('BigInt', {
  description: 'A whole number that may pass 2³¹, as a JSON number up to 2⁵³ − 1.',
  serialize: (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new GraphQLError(`${value} cannot be written as a JSON number.`);
    return number;
  },
  parseValue: (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      throw new GraphQLError('Expected a whole number.');
    return BigInt(value);
  },
});

builder.scalarType('Upload', {
  description:
    'A file, sent beside the operation as the [GraphQL multipart request specification](https://github.com/jaydenseric/graphql-multipart-request-spec) says.',
  serialize: () => {
    throw new GraphQLError('An Upload goes in only.');
  },
  // http/body/multipart.ts has begun to take the file in by now, and resolves the upload with what was received.
  parseValue: (value) => {
    if (value instanceof Upload) return value.promise as never;
    throw new GraphQLError(
      'Expected a file: send the operation as multipart/form-data with a map of its files.',
    );
  },
});
