import { addressList, bytes, flag, requestsPerMinute, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const TIMEOUTS = {
  title: 'Timeouts',
  settings: {
    OPERATION_TIMEOUT_SECONDS: {
      property: 'operationTimeoutSeconds',
      parser: wholeNumber(1, 3600),
      default: '180',
      description:
        'Seconds that an operation may take after its request has arrived. Keep it above the 120 seconds that generateImage may wait. Subscriptions are exempt.',
    },
    HEADERS_TIMEOUT_SECONDS: {
      property: 'headersTimeoutSeconds',
      parser: wholeNumber(1, 600),
      default: '15',
      description: 'Seconds that the headers of a request may take.',
    },
    BODY_TIMEOUT_SECONDS: {
      property: 'bodyTimeoutSeconds',
      parser: wholeNumber(1, 3600),
      default: '20',
      description:
        'Seconds that the body of a request may take, plus one second for each MIN_BODY_BYTES_PER_SECOND received.',
    },
    MIN_BODY_BYTES_PER_SECOND: {
      property: 'minBodyBytesPerSecond',
      parser: bytes,
      default: '2 KiB',
      description: 'Bytes of a body that extend BODY_TIMEOUT_SECONDS by a second.',
    },
    KEEP_ALIVE_TIMEOUT_SECONDS: {
      property: 'keepAliveTimeoutSeconds',
      parser: wholeNumber(1, 3600),
      default: '75',
      description:
        'Seconds that a connection without a request stays open. Keep it above the time that a proxy keeps its connections (nginx and load balancers: 60 seconds). Otherwise the proxy may send a request on a connection that is being closed.',
    },
  },
} as const satisfies Section;

export const TRAFFIC = {
  title: 'Traffic',
  about: ['Everything here is counted in one process.'],
  settings: {
    COMPRESSION: {
      property: 'compression',
      parser: flag,
      default: 'true',
      description:
        'Whether text responses are compressed (br, gzip) for clients that accept it. Turn it off if a proxy compresses.',
    },
    MAX_CONNECTIONS: {
      property: 'maxConnections',
      parser: wholeNumber(1, 1_000_000),
      default: '4096',
      description: 'Most open connections.',
    },
    MAX_REQUESTS: {
      property: 'maxRequests',
      parser: wholeNumber(1, 1_000_000),
      default: '1000',
      description: 'Requests in progress.',
    },
    MAX_REQUESTS_PER_ADDRESS: {
      property: 'maxRequestsPerAddress',
      parser: wholeNumber(1, 1_000_000),
      default: '250',
      description: 'Requests in progress from one address.',
    },
    MAX_UPLOADS: {
      property: 'maxUploads',
      parser: wholeNumber(1, 100_000),
      default: '64',
      description: 'Uploads in progress.',
    },
    MAX_UPLOADS_PER_CALLER: {
      property: 'maxUploadsPerCaller',
      parser: wholeNumber(1, 100_000),
      default: '32',
      description: 'Uploads in progress from one caller.',
    },
    MAX_SUBSCRIPTIONS: {
      property: 'maxSubscriptions',
      parser: wholeNumber(1, 1_000_000),
      default: '1000',
      description: 'Open subscriptions.',
    },
    MAX_SUBSCRIPTIONS_PER_CALLER: {
      property: 'maxSubscriptionsPerCaller',
      parser: wholeNumber(1, 1_000_000),
      default: '200',
      description: 'Open subscriptions of one caller.',
    },
    RATE_LIMIT_PER_CALLER: {
      property: 'rateLimitPerCaller',
      parser: requestsPerMinute,
      default: '60000',
      description: 'Requests a minute to GraphQL from one caller.',
    },
    RATE_LIMIT_PER_ADDRESS: {
      property: 'rateLimitPerAddress',
      parser: requestsPerMinute,
      default: '60000',
      description: 'Requests a minute from one address to everything that needs no token.',
    },
    TRUSTED_PROXIES: {
      property: 'trustedProxies',
      parser: addressList.describe('A list of addresses or CIDR ranges, separated by commas'),
      default: '',
      defaultText: 'none',
      example: '127.0.0.1,10.0.0.0/8',
      description:
        'Proxies whose X-Forwarded-For is believed; that of other clients is ignored. Behind a proxy, name it here.',
    },
    MAX_EVENT_LOOP_DELAY_MILLISECONDS: {
      property: 'maxEventLoopDelayMilliseconds',
      parser: wholeNumber(50, 60_000),
      default: '1000',
      description:
        'Milliseconds that the event loop may be late. After two seconds above it the server answers 503 to everything but /health.',
    },
    MAX_HEAP_PERCENT: {
      property: 'maxHeapPercent',
      parser: wholeNumber(10, 100),
      default: '90',
      description:
        'Percent of the heap that may be in use. Above it the server answers 503 to everything but /health.',
    },
  },
} as const satisfies Section;
