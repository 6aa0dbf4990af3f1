import type { z } from 'zod';
import { list, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';
import { privateHosts } from './imports.ts';

export const WEBHOOKS = {
  title: 'Webhooks',
  settings: {
    WEBHOOK_ALLOW_PRIVATE: {
      property: 'webhookAllowPrivate',
      parser: privateHosts,
      default: '',
      defaultText: 'none',
      example: 'alerts.internal,10.1.0.0/16',
      description: 'Receivers of webhooks that are allowed although their addresses are not public.',
    },
    WEBHOOK_TIMEOUT_SECONDS: {
      property: 'webhookTimeoutSeconds',
      parser: wholeNumber(1, 60),
      default: '15',
      description: 'Seconds that a receiver may take to answer.',
    },
    WEBHOOK_RETRY_SECONDS: {
      property: 'webhookRetrySeconds',
      parser: list
        .refine(
          (entries) => entries.length <= 20 && entries.every((entry) => /^\d{1,6}(\.\d{1,3})?$/.test(entry)),
          'up to 20 numbers of seconds, separated by commas',
        )
        .transform((entries) => entries.map(Number))
        .describe('A list of up to 20 numbers, separated by commas') as z.ZodType<readonly number[]>,
      default: '5,300,1800,7200,18000,36000,50400,72000,86400',
      description:
        'Seconds until each further attempt to deliver an event, varied by up to a tenth. After the last attempt the delivery has failed.',
    },
    WEBHOOK_DISABLE_DAYS: {
      property: 'webhookDisableDays',
      parser: wholeNumber(1, 365),
      default: '5',
      description: 'Days without any successful delivery after which a webhook is disabled.',
    },
    WEBHOOK_LOG_DAYS: {
      property: 'webhookLogDays',
      parser: wholeNumber(1, 365),
      default: '30',
      description: 'Days that events and their deliveries are kept, for the log and for a replay.',
    },
  },
} as const satisfies Section;
