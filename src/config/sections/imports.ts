import ipaddr from 'ipaddr.js';
import { list, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

const isSource = (text: string) =>
  ipaddr.isValid(text) || ipaddr.isValidCIDR(text) || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text);

/** Parser of a list of hosts to allow although their addresses are not public. */
export const privateHosts = list
  .refine((entries) => entries.every(isSource), 'host names, addresses or CIDR ranges, separated by commas')
  .describe('A list of host names, addresses or CIDR ranges, separated by commas');

export const IMPORTS = {
  title: 'Imports from URLs',
  settings: {
    ALLOW_PRIVATE_SOURCES: {
      property: 'allowPrivateSources',
      parser: privateHosts,
      default: '',
      defaultText: 'none',
      example: 'media.internal,10.1.0.0/16',
      description:
        'Sources that importImage and the import commands may fetch from although their addresses are not public. Each client that may import can then read what is there.',
    },
    FETCH_TIMEOUT_SECONDS: {
      property: 'fetchTimeoutSeconds',
      parser: wholeNumber(1, 3600),
      default: '60',
      description: 'Seconds that a fetch may take, redirects included.',
    },
  },
} as const satisfies Section;
