import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openGenerationJobs } from '../../src/job/generations.ts';
import { openTestApp, type TestApp } from '../harness.ts';

const QUEUE = 'generate-another';

describe('the queue of generations', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await openTestApp();
  });
  afterEach(() => app.close());

  const open = (database: Database) =>
    openGenerationJobs(database, {
      providers: ['another'],
      works: false,
      tracing: null,
      log: pino({ level: 'silent' }),
    });
  const settings = () =>
    app.database.query(
      'SELECT retry_limit, expire_seconds, heartbeat_seconds, notify FROM pgboss.queue WHERE name = $1',
      [QUEUE],
    );

  test('is set up for a new provider, and again when its settings differ', async () => {
    await (await open(app.database)).stop();
    const first = await settings();
    expect(first).toEqual([
      { retry_limit: 10_000, expire_seconds: 10_800, heartbeat_seconds: 15, notify: true },
    ]);
    for (const change of [
      'retry_limit = 2',
      'expire_seconds = 60',
      'notify = false',
      'heartbeat_seconds = 30',
    ]) {
      await app.database.query(`UPDATE pgboss.queue SET ${change} WHERE name = $1`, [QUEUE]);
      await (await open(app.database)).stop();
      expect(await settings(), change).toEqual(first);
    }
  });

  test('is known also where another server makes it while this one starts', async () => {
    let made = false;
    const overtaken: Database = {
      ...app.database,
      executeSql: async (text, values) => {
        // pg-boss has read what there is by then, and we have not.
        if (!made && values?.some((value) => Array.isArray(value) && value.includes(QUEUE))) {
          made = true;
          await (await open(app.database)).stop();
        }
        return app.database.executeSql(text, values);
      },
    };
    const jobs = await open(overtaken);
    expect(made).toBe(true);
    let looked = 0;
    const counted = { executeSql: overtaken.executeSql };
    overtaken.executeSql = (text, values) => {
      if (/\bpgboss\.queue\b/.test(text)) looked++;
      return counted.executeSql(text, values);
    };
    await app.database.transaction((transaction) =>
      jobs.push(transaction, [{ imageId: 1, queueName: 'another', userId: 'user1', runAt: null }]),
    );
    expect(looked).toBe(0);
    await jobs.stop();
  });

  test('is known before the first push, which holds a connection and looks for no other', async () => {
    // Both for a new queue and for one that exists with our settings.
    for (const _ of ['new', 'known']) {
      let looked = 0;
      const counted: Database = {
        ...app.database,
        executeSql: (text, values) => {
          if (/\bpgboss\.queue\b/.test(text)) looked++;
          return app.database.executeSql(text, values);
        },
      };
      const jobs = await open(counted);
      const before = looked;
      expect(before).toBeGreaterThan(0);
      await app.database.transaction((transaction) =>
        jobs.push(transaction, [{ imageId: 1, queueName: 'another', userId: 'user1', runAt: null }]),
      );
      expect(looked).toBe(before);
      await jobs.stop();
    }
  });
});
