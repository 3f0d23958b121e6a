/** A backtest of definition files over events that really came in, through the real API and the real command. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { BacktestReport } from '../../src/backtest/report.ts';
import {
  bytesOf,
  createTestApi,
  METRICS_TYPE,
  pagesOf,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { metricsEvent } from '../setup/event-path.ts';

const ID = 'low-success-rate-review';

let api: TestApi;
let apiAddress: string;
let folder: string;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
  folder = await mkdtemp(join(tmpdir(), 'activity-core-backtest-'));
  await mkdir(join(folder, 'event-types'));
  await writeFile(join(folder, 'event-types', `${METRICS_TYPE.type}.yaml`), JSON.stringify(METRICS_TYPE));
});
beforeEach(async () => {
  await api.clear();
  await api.declare([reviewDefinition()]);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Received, decided and run. */
async function handle(...events: object[]): Promise<void> {
  const { dispatch_ids } = await api.receive(...events.map((event) => ({ bytes: bytesOf(event) })));
  await api.runAll(dispatch_ids);
}

async function fileOf(definition: object & { id: string }): Promise<string> {
  const file = join(folder, `${definition.id}.yaml`);
  await writeFile(file, JSON.stringify(definition, null, 2));
  return file;
}

const run = async (definition: object & { id: string }, ...options: string[]) =>
  captureCli(['backtest', await fileOf(definition), ...options], { apiAddress });

async function reportOf(definition: object & { id: string }, ...options: string[]): Promise<BacktestReport> {
  const { exitCode, out, err } = await run(definition, '--json', ...options);
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
  return JSON.parse(out);
}

const withRule = (change: object, definition: object = {}) => {
  const [rule] = reviewDefinition().rules;
  return reviewDefinition({ rules: [{ ...rule, ...change }], ...definition });
};
const sandbox = (id: string) =>
  metricsEvent(id, 0.5, {
    attributes: { agent: 'coach', project: 'sandbox', summary: { success_rate: 0.5 } },
  });
/** One whose index is out of the list for some rates. */
const FAILING = '[true, true, true, true, true, true][int(context.metrics.summary.success_rate * 10.0)]';

describe('an unchanged file', () => {
  test('makes no difference, and --fail-on-change ends with 0', async () => {
    await handle(metricsEvent('low', 0.5), metricsEvent('high', 0.9), sandbox('sandbox'));
    const report = await reportOf(reviewDefinition(), '--fail-on-change');
    expect(report).toMatchObject({
      ...{
        is_changed: false,
        differences: [],
        events: 3,
        compared: 3,
        not_compared: {},
        not_reproducible: 0,
      },
      ...{ earlier_revisions: 0, specs: { recorded: 1, now: 1, unchanged: 1 } },
    });
    expect(report.applied_hash).toBe(report.definition_hash);
  });

  test('counts an event that came twice once, what was there before it not at all, and what is held by its filter alone', async () => {
    await api.declare([]);
    await handle(metricsEvent('before'));
    await api.declare([reviewDefinition()]);
    const event = metricsEvent('twice');
    await handle(event);
    await handle(event);
    await api.post(`/api/v1/definitions/${ID}/pause`, { reason: 'a test' });
    await handle(metricsEvent('held'));
    const report = await reportOf(reviewDefinition(), '--fail-on-change');
    expect(report).toMatchObject({
      ...{ events: 3, compared: 1, not_compared: { not_decided: 1, held: 1 } },
      ...{ is_changed: false, specs: { recorded: 1, now: 1 } },
    });
    const filtered = reviewDefinition({ trigger: { event: { type: METRICS_TYPE.type, filter: 'false' } } });
    const { differences } = await reportOf(filtered);
    expect(differences.map((one) => one.recorded_outcome).toSorted()).toEqual(['completed', 'held']);
  });

  test('makes none where runs failed, and where they were retried', async () => {
    const failing = withRule({ condition: FAILING });
    await api.declare([failing]);
    await handle(metricsEvent('fails', 0.9), metricsEvent('works', 0.5));
    expect((await reportOf(failing)).is_changed).toBe(false);
    const { rows } = await api.pool.query("SELECT run_id FROM activity_runs WHERE status = 'failed'");
    await api.declare([reviewDefinition()]);
    expect((await api.post(`/api/v1/runs/${rows[0].run_id}/retry`)).status).toBe(202);
    await api.runAll();
    const report = await reportOf(reviewDefinition(), '--fail-on-change');
    expect(report).toMatchObject({ is_changed: false, compared: 2, earlier_revisions: 1 });
  });

  test('makes none of what a retry left behind, nor of what it kept as it had been sent', async () => {
    const titled = (title: string, id = 'low-success-rate') => ({ id, condition: 'true', task: { title } });
    await api.declare([
      reviewDefinition({ rules: [titled('Sent first'), titled('Left behind', 'dropped')] }),
    ]);
    await handle(metricsEvent('e-1'));
    await api.pool.query("UPDATE task_spawn_log SET status = 'created'");
    const { rows } = await api.pool.query(
      `UPDATE activity_runs SET status = 'failed', error = '{"code":"task_rejected","message":"no","details":{}}'
        RETURNING run_id`,
    );
    const current = reviewDefinition({ rules: [titled('Sent later')] });
    await api.declare([current]);
    expect((await api.post(`/api/v1/runs/${rows[0].run_id}/retry`)).status).toBe(202);
    await api.runAll();
    expect(await reportOf(current, '--fail-on-change')).toMatchObject({
      ...{ is_changed: false, compared: 1, specs: { recorded: 1, now: 1, kept: 1 } },
    });
    const restored = reviewDefinition({ rules: [titled('Sent later'), titled('Left behind', 'dropped')] });
    expect((await reportOf(restored)).specs).toMatchObject({ kept: 1, added: 1 });
  });

  test('names the schema of its event type where that is another one beside it', async () => {
    const { attributes_schema, ...type } = METRICS_TYPE;
    await api.declare(
      [reviewDefinition()],
      [{ ...type, attributes_schema: { ...attributes_schema, title: 'x' } }],
    );
    expect((await reportOf(reviewDefinition())).not_compared_fields).toEqual([
      'event_type.attributes_schema',
    ]);
    await api.declare([reviewDefinition()]);
    expect((await reportOf(reviewDefinition())).not_compared_fields).toEqual([]);
  });

  test('makes none where a whole object stands in a text, whose members the record has in another order', async () => {
    const value = { zeta: 1, a: { long_name: 'x', b: [] } };
    const definition = withRule(
      { task: { title: 'Look', description: 'at {{ context.facts }}, {{ context.metrics }}' } },
      {
        context_sources: [
          { type: 'event-payload', bind_to: 'context.metrics' },
          { type: 'static', bind_to: 'context.facts', params: { value } },
        ],
      },
    );
    await api.declare([definition]);
    await handle(metricsEvent('e-1'));
    expect(await reportOf(definition)).toMatchObject({ is_changed: false, specs: { unchanged: 1 } });
  });
});

describe('a changed file', () => {
  test('tells the specs that are gone, with what the condition read', async () => {
    await handle(metricsEvent('low', 0.5), metricsEvent('middle', 0.7));
    const report = await reportOf(withRule({ condition: 'context.metrics.summary.success_rate < 0.6' }));
    expect(report).toMatchObject({ is_changed: true, specs: { recorded: 2, now: 1, unchanged: 1, gone: 1 } });
    expect(report.differences).toMatchObject([
      {
        ...{ kind: 'gone', rule_id: 'low-success-rate', inputs: 1, specs: { gone: 1 } },
        recorded_expression: 'context.metrics.summary.success_rate < 0.8',
        expression: 'context.metrics.summary.success_rate < 0.6',
        examples: [
          {
            event: { id: 'middle' },
            values: { 'context.metrics.summary.success_rate': 0.7 },
            gone: [{ title: 'Review coach in kaizen-agentic' }],
          },
        ],
      },
    ]);
    const told = await run(
      withRule({ condition: 'context.metrics.summary.success_rate < 0.6' }),
      '--fail-on-change',
    );
    expect(told.exitCode).toBe(1);
    expect(told.out).toContain('It would not have been the same: 1 spec gone.');
    expect(told.out).toContain('context.metrics.summary.success_rate = 0.7');
    expect(told.out).toContain('- Review coach in kaizen-agentic');
  });

  test('tells which field of a spec is another, paired by its dedupe key', async () => {
    await handle(metricsEvent('low', 0.5));
    const [rule] = reviewDefinition().rules;
    const changed = withRule({ task: { ...rule?.task, title: 'Look at {{ context.metrics.agent }}' } });
    const report = await reportOf(changed);
    expect(report.specs).toMatchObject({ changed: 1, added: 0, gone: 0 });
    expect(report.differences).toMatchObject([
      {
        ...{ kind: 'changed', fields: ['title'] },
        examples: [
          {
            changed: [
              {
                fields: [
                  { field: 'title', recorded: 'Review coach in kaizen-agentic', now: 'Look at coach' },
                ],
              },
            ],
          },
        ],
      },
    ]);
    expect((await run(changed)).out).toContain('+ title: "Look at coach"');
  });

  test('asks its own filter, and groups what it lets through and what not', async () => {
    await handle(metricsEvent('e-1'), metricsEvent('e-2'), sandbox('s-1'));
    const filter = 'event.attributes.project == "sandbox"';
    const { differences, outcomes_changed } = await reportOf(
      reviewDefinition({ trigger: { event: { type: METRICS_TYPE.type, filter } } }),
      ...['--examples', '1'],
    );
    expect(outcomes_changed).toBe(3);
    expect(differences).toMatchObject([
      {
        recorded_outcome: 'completed',
        outcome: 'filtered',
        inputs: 2,
        specs: { gone: 2 },
        expression: filter,
      },
      { recorded_outcome: 'filtered', outcome: 'completed', inputs: 1, specs: { added: 1 } },
    ]);
    expect(differences[0]?.examples).toHaveLength(1);
  });

  test('is loud about runs that would fail, before all else', async () => {
    await handle(metricsEvent('works', 0.5), metricsEvent('fails', 0.7));
    const report = await reportOf(withRule({ condition: FAILING }));
    expect(report).toMatchObject({ new_failures: 1, specs: { gone: 1 } });
    expect(report.differences[0]).toMatchObject({
      ...{ kind: 'failing', outcome: 'rule_error', rule_id: 'low-success-rate' },
      examples: [{ event: { id: 'fails' }, error: { code: 'rule_error' } }],
    });
    expect((await run(withRule({ condition: FAILING }))).out).toContain('1 would FAIL that did not');
  });

  test('fails where it wants too many tasks, and says when its hourly limit would pause it', async () => {
    const rules = ['one', 'two'].map((id) => ({ id, condition: 'true', task: { title: id } }));
    await handle(metricsEvent('e-1'), metricsEvent('e-2'));
    const limited = reviewDefinition({ rules, limits: { max_tasks_per_run: 1 } });
    expect((await reportOf(limited)).differences[0]).toMatchObject({
      outcome: 'task_limit_exceeded',
      inputs: 2,
    });
    const hourly = reviewDefinition({ rules, limits: { max_tasks_per_hour: 3 } });
    const { hourly_limit, specs } = await reportOf(hourly);
    expect(hourly_limit).toMatchObject({ max_tasks_per_hour: 3, would_pause_at: expect.any(String) });
    expect(specs.now).toBe(4);
  });

  test('that is disabled would start nothing', async () => {
    await handle(metricsEvent('e-1'));
    const report = await reportOf(reviewDefinition({ enabled: false }));
    expect(report).toMatchObject({ notes: ['would_be_disabled'], specs: { gone: 1 } });
    await api.declare([reviewDefinition({ enabled: false })]);
    expect(await reportOf(reviewDefinition({ enabled: false }))).toMatchObject({ is_changed: false });
  });

  test('pairs the elements of a list by what they are, not by where they stand', async () => {
    const listing = (names: string[]) =>
      reviewDefinition({
        context_sources: [{ type: 'static', bind_to: 'context.names', params: { value: names } }],
        rules: [
          { id: 'each', for_each: 'context.names', condition: 'true', task: { title: 'For {{ item }}' } },
        ],
      });
    await api.declare([listing(['a', 'b', 'c'])]);
    await handle(metricsEvent('e-1'));
    expect((await reportOf(listing(['c', 'a', 'b']))).is_changed).toBe(false);
    expect((await reportOf(listing(['b', 'c', 'd', 'a']))).specs).toMatchObject({ unchanged: 3, added: 1 });
    expect((await reportOf(listing(['c', 'b']))).specs).toMatchObject({ unchanged: 2, gone: 1 });
  });
});

describe('a new definition', () => {
  const fresh = (change: object = {}) => reviewDefinition({ id: 'brand-new', ...change });

  test('would have fired on events that nothing was there for', async () => {
    await api.declare([]);
    await handle(metricsEvent('low'), metricsEvent('high', 0.9));
    const report = await reportOf(fresh());
    expect(report).toMatchObject({ applied_hash: null, compared: 2, specs: { recorded: 0, added: 1 } });
    expect(report.differences).toMatchObject([
      { recorded_outcome: 'not_decided', outcome: 'completed', inputs: 2 },
    ]);
    expect((await run(fresh(), '--fail-on-change')).exitCode).toBe(1);
  });

  test('is told loudly where a source is not on record, and never guessed', async () => {
    await handle(metricsEvent('e-1'), sandbox('s-1'));
    const sources = [{ type: 'state-hub', bind_to: 'context.hub' }];
    const definition = fresh({ context_sources: sources, rules: [] });
    const report = await reportOf(definition);
    expect(report).toMatchObject({ not_reproducible: 1, compared: 1 });
    expect(report.differences.at(-1)).toMatchObject({
      ...{ kind: 'not_reproducible', reason: 'context_source_new', name: 'context.hub', outcome: null },
    });
    const told = await run(definition, '--fail-on-change');
    expect(told.exitCode).toBe(1);
    expect(told.out).toContain('1 that CANNOT BE TOLD from the record');
  });

  test('with another trigger: a schedule is replayed over the times that it would have had', async () => {
    const trigger = { schedule: { every: '1h' } };
    const rules = [{ id: 'always', condition: 'true', task: { title: 'At {{ run.scheduled_for }}' } }];
    const definition = fresh({ trigger, rules, context_sources: [] });
    const range = ['--since', '2026-11-20T00:00:00Z', '--until', '2026-11-20T06:00:00Z'];
    expect(await reportOf(definition, ...range)).toMatchObject({ ticks: 0, specs: { added: 6 } });
  });
});

test('a file that is invalid is told as `definitions validate` tells it, with its exit code', async () => {
  const file = await fileOf(withRule({ condition: 'context.metrics.sumary.success_rate < 0.8' }));
  for (const json of [[], ['--json']]) {
    const validated = await captureCli(['definitions', 'validate', file, ...json]);
    expect(validated.exitCode).toBe(1);
    expect(await captureCli(['backtest', file, ...json], { apiAddress })).toEqual(validated);
  }
});

test('bad use ends with 2', async () => {
  const file = await fileOf(reviewDefinition());
  const manual = await fileOf(reviewDefinition({ id: 'by-hand', trigger: { manual: {} } }));
  for (const argv of [
    [file, '--since', 'yesterday'],
    [file, '--since', '1h', '--until', '2h'],
    [file, '--examples', 'many'],
    [manual],
    [folder],
    [file, '--api', 'http://127.0.0.1:9'],
  ])
    expect(await captureCli(['backtest', ...argv], { apiAddress }), argv.join(' ')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('error'),
    });
});

test('nothing is written, started or sent', async () => {
  await handle(metricsEvent('e-1'), sandbox('s-1'));
  const before = await api.countRows();
  const { rows: changesBefore } = await api.pool.query(CHANGES);
  const started = [...api.started];
  for (const definition of [
    reviewDefinition(),
    withRule({ condition: FAILING }),
    reviewDefinition({ id: 'new' }),
  ])
    await reportOf(definition);
  expect(await api.countRows()).toEqual(before);
  expect((await api.pool.query(CHANGES)).rows).toEqual(changesBefore);
  expect([api.started, api.emitted]).toEqual([started, []]);
});

/** Every row's version: an update would make another. */
const CHANGES = `
  SELECT 'run' AS of, xmin::text, run_id::text AS key FROM activity_runs
  UNION ALL SELECT 'event', xmin::text, event_uid::text FROM events
  UNION ALL SELECT 'decision', xmin::text, event_uid::text FROM event_decisions
  UNION ALL SELECT 'task', xmin::text, idempotency_key FROM task_spawn_log
  UNION ALL SELECT 'registry', xmin::text, version::text FROM registry_version ORDER BY 1, 3`;

describe('the record', () => {
  const range = 'since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z';

  test('is read oldest first, each input once, however small the pages are', async () => {
    await handle(...Array.from({ length: 7 }, (_, n) => metricsEvent(`e-${n}`)));
    const url = `/api/v1/backtest/${ID}/events?type=${METRICS_TYPE.type}&${range}&limit=2`;
    const pages = await pagesOf(api, url);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2, 1]);
    // PostgreSQL leaves out the zeros at the end of a fraction.
    const received = pages.flat().map(({ received_at }) => String(received_at).slice(0, -1).padEnd(26, '0'));
    expect(received).toEqual(received.toSorted());
    expect(new Set(pages.flat().map(({ event_uid }) => event_uid)).size).toBe(7);
  });

  test('is answered in pages of bounded size', async () => {
    const text = 'x'.repeat(200_000);
    const large = (n: number) =>
      metricsEvent(`large-${n}`, 0.5, {
        attributes: { agent: text, project: 'p', summary: { success_rate: 0.9 } },
      });
    for (let n = 0; n < 45; n += 15) await handle(...Array.from({ length: 15 }, (_, m) => large(n + m)));
    const pages = await pagesOf(
      api,
      `/api/v1/backtest/${ID}/events?type=${METRICS_TYPE.type}&${range}&limit=1000`,
    );
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flat()).toHaveLength(45);
  });

  test('begins where what is older was deleted', async () => {
    await handle(metricsEvent('e-1'));
    await api.pool.query("UPDATE retention SET forgotten_before = now() - interval '1 day'");
    const report = await reportOf(reviewDefinition(), '--since', '7d');
    expect(Date.parse(report.since)).toBeGreaterThan(
      Date.parse(report.asked_since ?? '9999-01-01T00:00:00Z'),
    );
    expect((await run(reviewDefinition())).out).toContain('has been deleted (RETENTION_DAYS)');
    await api.pool.query('UPDATE retention SET forgotten_before = NULL');
  });

  test('has made-up cursors refused', async () => {
    const cursor = Buffer.from(JSON.stringify(['2026-99-99T00:00:00Z', '0'.repeat(36)])).toString(
      'base64url',
    );
    for (const path of [`events?type=${METRICS_TYPE.type}&`, 'ticks?'])
      expect((await api.get(`/api/v1/backtest/${ID}/${path}${range}&cursor=${cursor}`)).body).toMatchObject({
        code: 'invalid_request',
      });
  });
});
