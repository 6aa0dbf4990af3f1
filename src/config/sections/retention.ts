import { z } from 'zod';
import { schedule } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const POLICIES = {
  title: 'Retention policies',
  about: [
    'A policy says which images go to the trash. Nothing goes unless a run is started, or RETENTION_SCHEDULE is set; docs/retention.md says how.',
  ],
  settings: {
    RETENTION_FILE: {
      property: 'retentionFile',
      parser: z.string().min(1).describe('A path'),
      defaultText: 'no file; policies are made by clients',
      description:
        'JSON file of policies, which the server reads at each start. Clients cannot change them. A file with an error stops the start.',
    },
    RETENTION_SCHEDULE: {
      property: 'retentionSchedule',
      parser: schedule,
      default: 'off',
      description: 'When a run of all enabled policies begins.',
    },
    RETENTION_MAX_SHARE: {
      property: 'retentionMaxShare',
      parser: z
        .string()
        .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'a number from 0 to 1')
        .transform(Number)
        .describe('0 to 1'),
      default: '0.2',
      description:
        'Largest share of the images in scope that a run of a policy may put into the trash, unless the policy or the run sets its own. A policy beyond it does not begin.',
    },
  },
} as const satisfies Section;
