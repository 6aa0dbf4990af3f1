import { GraphQLError } from 'graphql';
import { JSONResolver } from 'graphql-scalars';
import { Upload } from 'graphql-upload-minimal';
import { clampTime, parseTime } from '../../time.ts';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description:
    'A point in time between the years 1 and 9999. Output: RFC 3339 in UTC with milliseconds, such as `2026-11-21T09:35:00.000Z`. Input: RFC 3339 with any offset. A time without an offset is in UTC; a date alone is midnight in UTC.',
  serialize: (value) => {
    if (value instanceof Date) return clampTime(value).toISOString();
    throw new GraphQLError('A DateTime must be a Date.');
  },
  parseValue: (value) => {
    const time = typeof value === 'string' ? parseTime(value) : null;
    if (time) return time;
    throw new GraphQLError(
      `Expected a time in RFC 3339, such as "2026-11-21T09:35:00Z"; found ${JSON.stringify(value)?.slice(0, 100)}.`,
    );
  },
});

builder.addScalarType('JSON', JSONResolver, { description: 'Any JSON value.' });

builder.scalarType('BigInt', {
  description: 'An integer that may exceed 32 bits, as a JSON number of at most 2⁵³ − 1.',
  serialize: (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new GraphQLError(`${value} does not fit into a JSON number.`);
    return number;
  },
  parseValue: (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      throw new GraphQLError('Expected an integer between -(2⁵³ − 1) and 2⁵³ − 1.');
    return BigInt(value);
  },
});

builder.scalarType('Upload', {
  description:
    'A file of the request, sent as the [GraphQL multipart request specification](https://github.com/jaydenseric/graphql-multipart-request-spec) describes.',
  serialize: () => {
    throw new GraphQLError('Upload is an input type and cannot be returned.');
  },
  // http/body/multipart.ts is already receiving the file; the promise resolves when the file has arrived.
  parseValue: (value) => {
    if (value instanceof Upload) return value.promise as never;
    throw new GraphQLError(
      'Expected a file. Send the operation as multipart/form-data with a map of its files.',
    );
  },
});
