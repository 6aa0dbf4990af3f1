import { z } from 'zod';
import { httpUrl } from '../parsers.ts';
import type { Section } from '../setting.ts';

/** `name=value`, percent-encoded (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). */
const headers = z.string().transform((text, issues) =>
  text.split(',').flatMap((entry) => {
    const [name = '', ...value] = entry.split('=');
    if (entry.trim() === '') return [];
    try {
      if (/^[!#$%&'*+.^`|~\w-]+$/.test(name.trim()) && value.length > 0)
        return [`${name.trim()}=${decodeURIComponent(value.join('=').trim())}`];
    } catch {
      // The message below is for an invalid escape, too.
    }
    issues.addIssue({ code: 'custom', message: 'a list, separated by commas, of name=value' });
    return [];
  }),
);

export const TRACING = {
  title: 'Tracing',
  about: [
    'Traces of requests, operations, jobs, and calls to stores and providers, by OpenTelemetry. Without OTEL_EXPORTER_OTLP_ENDPOINT nothing is traced and its libraries are not loaded.',
  ],
  settings: {
    OTEL_EXPORTER_OTLP_ENDPOINT: {
      property: 'tracing.endpoint',
      needed: true,
      parser: httpUrl,
      example: 'http://localhost:4318',
      description:
        'URL of an OpenTelemetry collector that takes OTLP over HTTP. Spans are sent to `/v1/traces` below it.',
    },
    OTEL_EXPORTER_OTLP_HEADERS: {
      property: 'tracing.headers',
      parser: headers.describe('A list, separated by commas, of name=value'),
      default: '',
      secret: 'value',
      example: 'authorization=Bearer%20…',
      description: 'Headers of each request to the collector. The values are percent-encoded.',
    },
    OTEL_EXPORTER_OTLP_PROTOCOL: {
      property: 'tracing.protocol',
      parser: z
        .enum(['http/protobuf', 'http/json'], 'http/protobuf or http/json')
        .describe('One of http/protobuf, http/json'),
      default: 'http/protobuf',
      description: 'Format of the requests to the collector.',
    },
    OTEL_SERVICE_NAME: {
      property: 'tracing.serviceName',
      parser: z.string(),
      default: 'fixative',
      description: 'Name of the service in the traces.',
    },
    OTEL_TRACES_SAMPLER_ARG: {
      property: 'tracing.share',
      parser: z.coerce
        .number('a number from 0 to 1')
        .min(0, 'a number from 0 to 1')
        .max(1, 'a number from 0 to 1')
        .describe('0 to 1'),
      default: '1',
      description:
        'Share of the traces that begin here to record. A request with a `traceparent` header is recorded if its caller records it.',
    },
  },
} as const satisfies Section;
