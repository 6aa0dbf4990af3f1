import { z } from 'zod';
import { httpUrl, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const SERVER = {
  title: 'Server',
  settings: {
    HOST: {
      property: 'host',
      parser: z.string(),
      default: '127.0.0.1',
      description:
        'Address to listen on. An address other than loopback needs a way for clients to log in: FIXATIVE_ROOT_TOKEN, AUTH_JWKS_URL, AUTH_JWT_SECRET or an API token (`fixative token create`).',
    },
    PORT: {
      property: 'port',
      parser: wholeNumber(0, 65_535),
      default: '4000',
      description: 'TCP port to listen on; 0 takes a free one.',
    },
    PUBLIC_URL: {
      property: 'publicUrl',
      parser: httpUrl,
      defaultText: 'http://HOST:PORT',
      example: 'https://images.example.com',
      description: 'URL under which clients reach the server. The `url` of an image begins with it.',
    },
    METRICS_PORT: {
      property: 'metricsPort',
      parser: wholeNumber(1, 65_535),
      example: '9464',
      description:
        'TCP port on which `serve` and `work` serve `/metrics` without a token, for a private network. The server serves it on PORT too, for tokens with the scope stores:read.',
    },
    METRICS_HOST: {
      property: 'metricsHost',
      parser: z.string(),
      default: '127.0.0.1',
      description: 'Address to listen on at METRICS_PORT.',
    },
    DATA_DIR: {
      property: 'dataDirectory',
      parser: z.string(),
      default: './data',
      description:
        'Directory of everything that the server keeps on this machine: the embedded database, images, the root token. A relative path starts at the working directory.',
    },
  },
} as const satisfies Section;
