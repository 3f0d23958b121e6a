/** Attempts to file the reports of a run: for how long, what of two at one moment stays, and how the run ends. Against PostgreSQL alone. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createReport } from '../../src/activities/report.ts';
import type { ReportRecord } from '../../src/core/report.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { ReportError, type ReportSink } from '../../src/reports/report-sink.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { insertDispatch } from '../../src/store/dispatches.ts';
import { insertRunningRun, UNSAID } from '../../src/store/runs.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTestDatabase } from '../setup/database.ts';

let db: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  db = await createTestDatabase(inject('servers').database_url);
});
afterAll(async () => db?.[Symbol.asyncDispose]());

const PENDING: ReportRecord = {
  sink: 'a-sink',
  report: {},
  status: 'pending',
  attempts: 0,
  failing_since: null,
  error: null,
  filed: null,
  filed_at: null,
};

/** One that has been at its reports for an hour. */
async function reporting(...reports: Partial<ReportRecord>[]) {
  const ids = { dispatch_id: randomUUID(), run_id: randomUUID() };
  const revision = { definition_id: 'reporting', definition_hash: 'hash' };
  const trigger_key = `manual:${ids.run_id}`;
  const member = { run_id: ids.run_id, ...revision, event_uid: null };
  await insertDispatch(db.pool, { dispatch_id: ids.dispatch_id, members: [member], prepared: true });
  const trigger = { trigger_key, origin_trigger_key: trigger_key, trigger_kind: 'manual' } as const;
  await insertRunningRun(db.pool, { ...UNSAID, ...ids, ...revision, ...trigger });
  await db.pool.query(
    "UPDATE activity_runs SET reports = $2, reporting_since = now() - interval '1 hour' WHERE run_id = $1",
    [ids.run_id, JSON.stringify(reports.map((one) => ({ ...PENDING, ...one })))],
  );
  return {
    ...ids,
    async read() {
      const { rows } = await db.pool.query('SELECT * FROM activity_runs WHERE run_id = $1', [ids.run_id]);
      return rows[0];
    },
    /** All that is on record of its failures happened so many seconds earlier. */
    pass: (seconds: number) =>
      db.pool.query(
        `UPDATE activity_runs SET reports = (
           SELECT jsonb_agg(one || jsonb_build_object('failing_since',
                              (one->>'failing_since')::timestamptz - make_interval(secs => $2)))
             FROM jsonb_array_elements(reports) AS one) WHERE run_id = $1`,
        [ids.run_id, seconds],
      ),
  };
}

/** One attempt of the activity; whether it is done. */
function attempt({ dispatch_id }: { dispatch_id: string }, file: ReportSink['file']): Promise<boolean> {
  const report = createReport({
    pool: db.pool,
    registry: createAppliedRegistry(db.pool, createResolvers()),
    reportSinks: new Map([['a-sink', { sink: 'a-sink', file }]]),
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
  });
  const done = new MockActivityEnvironment().run(report, { dispatch_id });
  return done.then(
    () => true,
    (error: unknown) => {
      if ((error as { type: unknown }).type !== 'not_reported') throw error;
      return false;
    },
  );
}

const away: ReportSink['file'] = async () => {
  throw new ReportError('nobody answers', { retryable: true });
};
const filing: ReportSink['file'] = async () => ({ file: 'a.md', sha256: 'abc' });

test('a report that cannot be filed is tried for two minutes from its first failure, however late that came', async () => {
  const run = await reporting({});
  for (let n = 1; n <= 4; n += 1) {
    expect(await attempt(run, away)).toBe(false);
    expect((await run.read()).reports).toMatchObject([
      { status: 'pending', attempts: n, error: 'nobody answers', failing_since: expect.any(String) },
    ]);
    await run.pass(25);
  }
  await run.pass(25);
  expect(await attempt(run, away)).toBe(true);
  expect(await run.read()).toMatchObject({
    status: 'failed',
    error: { code: 'report_failed' },
    reports: [{ status: 'failed', attempts: 5 }],
  });
});

test('it is tried three times, whatever time that takes, and one that is filed in the end does not fail any more', async () => {
  const run = await reporting({});
  for (let n = 1; n <= 2; n += 1) {
    expect(await attempt(run, away)).toBe(false);
    await run.pass(600);
  }
  expect(await attempt(run, filing)).toBe(true);
  expect(await run.read()).toMatchObject({
    status: 'completed',
    error: null,
    reports: [{ status: 'filed', error: null, failing_since: null, filed_at: expect.any(String) }],
  });
});

test('what one attempt has filed stands, though another gave it up while the run was still at its reports', async () => {
  const run = await reporting({}, {});
  const begun = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const slow = attempt(run, async (input) => {
    begun.resolve();
    await mayEnd.promise;
    return filing(input);
  });
  await begun.promise;
  // The other attempt gives the first report up, and its second one waits.
  const refusing: ReportSink['file'] = async ({ position }) => {
    throw new ReportError('refused', { retryable: position > 0 });
  };
  expect(await attempt(run, refusing)).toBe(false);
  expect((await run.read()).reports).toMatchObject([{ status: 'failed' }, { status: 'pending' }]);
  mayEnd.resolve();
  expect(await slow).toBe(true);
  expect(await run.read()).toMatchObject({
    status: 'completed',
    error: null,
    reports: [{ status: 'filed', error: null }, { status: 'filed' }],
  });
});

test('a report that was dropped is not filed, and does not fail its run', async () => {
  const run = await reporting({ status: 'dropped', error: 'a retry of this run has reported' });
  const never: ReportSink['file'] = async () => expect.fail('it was filed');
  expect(await attempt(run, never)).toBe(true);
  expect(await run.read()).toMatchObject({
    status: 'completed',
    error: null,
    reports: [{ status: 'dropped', attempts: 0 }],
  });
});
