import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

/**
 * The log: lines for people or JSON for machines, on standard error, so that what a command prints stays clean. Control
 * characters of what strangers send are escaped by JSON, and by us for people, so that no line can be forged.
 */
export function makeLog(options: { level: string; format: 'text' | 'json'; colorize: boolean }): Logger {
  const destination =
    options.format === 'json'
      ? pino.destination({ dest: 2, sync: true })
      : pretty({
          destination: 2,
          sync: true,
          colorize: options.colorize,
          translateTime: 'SYS:HH:MM:ss',
          ignore: 'pid,hostname',
          customPrettifiers: {},
        });
  return pino({ level: options.level }, destination);
}
