import { z } from 'zod';
import type { Section } from '../setting.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const LOGS = {
  title: 'Logs',
  settings: {
    LOG_LEVEL: {
      property: 'logLevel',
      parser: z
        .enum(LOG_LEVELS, `one of: ${LOG_LEVELS.join(', ')}`)
        .describe(`One of ${LOG_LEVELS.join(', ')}`),
      default: 'info',
      description: 'Lowest level of the messages to log.',
    },
    LOG_FORMAT: {
      property: 'logFormat',
      parser: z.enum(['text', 'json'], 'text or json').describe('One of text, json'),
      default: 'text',
      description: 'Format of a log line: text for people, json for machines.',
    },
  },
} as const satisfies Section;
