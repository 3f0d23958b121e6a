/** What an operator watches of a live service: metrics, queries over them, ids in the log, and a trace that goes through. */
import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import { metricsEvent, NATS_ANSWER_MS, SUBJECT } from '../setup/event-path.ts';
import { type LiveMetric, readSamples, readTypes } from '../setup/live-metrics.ts';
import { createLivePath, type LivePath, liveOnEvent } from '../setup/live-path.ts';
import { asSent, readDocumented, readPanels, readRules, TARGET_LABELS } from '../setup/observability.ts';
import { readQuery } from '../setup/promql.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const FAILS = `
id: fails-always
title: Its rule reads a field that the event leaves out
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
rules:
  - id: quality
    condition: event.attributes.summary.avg_quality < 0.5
    task: { title: never }
`;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const OF_EVENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const OF_MESSAGE = `00-${TRACE}-b7ad6b7169203331-00`;

let live: LivePath;
let service: ServiceProcess;
let text: string;
let metrics: Map<string, LiveMetric>;

/** Of each metric of ours, and of the process. */
const documented = [...readDocumented('activity-core'), ...readDocumented('The process')];

beforeAll(async () => {
  live = await createLivePath(inject('servers'), {
    files: { ...liveOnEvent('on-event'), 'fails-always.yaml': FAILS },
    approved: ['on-event'],
  });
  service = await live.serve();
  const { path } = live;
  await path.publish('not json');
  await path.publish(metricsEvent('untraced'));
  await path.publish(metricsEvent('wrongly-traced', 0.5, { traceparent: `00-${'0'.repeat(32)}-x-01` }));
  await publishTraced(metricsEvent('of-event', 0.5, { traceparent: OF_EVENT }));
  await publishTraced(metricsEvent('of-message'));
  await until('the tasks are created', async () => (await live.tasks("status = 'created'")).length === 4);
  await until('all runs are over', async () => (await live.runs("status <> 'running'")).length === 12);
  text = await (await fetch(`${service.url}/metrics`)).text();
  metrics = readSamples(text);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await live[Symbol.asyncDispose]();
});

async function publishTraced(event: object): Promise<void> {
  const traced = headers();
  traced.set('traceparent', OF_MESSAGE);
  await jetstream(live.path.nats, { timeout: NATS_ANSWER_MS }).publish(SUBJECT, JSON.stringify(event), {
    headers: traced,
  });
}

test('a live service shows each metric that docs/metrics.md lists, and no other of its own', () => {
  const types = readTypes(text);
  const own = [...types].filter(([name]) => !name.startsWith('temporal_'));
  expect(own.map(([name, type]) => `${name} ${type}`).toSorted()).toEqual(
    documented.map(({ name, type }) => `${name} ${type}`).toSorted(),
  );
  for (const { name, type, labels } of readDocumented("Temporal's SDK")) {
    expect(types.get(name), name).toBe(type);
    expect([...labelsOf(type === 'histogram' ? `${name}_count` : name)], name).toEqual(
      expect.arrayContaining(labels),
    );
  }
});

test('a sample has no label but those that docs/metrics.md lists', () => {
  for (const { name, type, labels } of documented) {
    const samples = metrics.get(type === 'histogram' ? `${name}_bucket` : name);
    expect(['le', ...labels], name).toEqual(expect.arrayContaining([...(samples?.labels ?? [])]));
  }
});

/** With those of a metric that has no sample yet. */
function labelsOf(metric: string): Set<string> {
  const listed = documented.find(({ name }) => name === metric)?.labels ?? [];
  return new Set([...(metrics.get(metric)?.labels ?? []), ...listed]);
}

const queries = [
  ...readRules().map(({ alert, expr }) => ({ of: alert, expr })),
  ...readPanels().flatMap(({ title, targets }) => targets.map(({ expr }) => ({ of: title, expr }))),
];

test.each(queries)('$of: $expr reads metrics and labels that a live service has', ({ expr }) => {
  const query = readQuery(asSent(expr));
  expect(query.metrics.length).toBeGreaterThan(0);
  expect([...metrics.keys()]).toEqual(expect.arrayContaining(query.metrics));
  const labels = new Set([...TARGET_LABELS, ...query.metrics.flatMap((metric) => [...labelsOf(metric)])]);
  expect([...labels]).toEqual(expect.arrayContaining(query.labels));
});

test('what happened is counted: fates, batches, runs with their duration, tasks', () => {
  expect(text).toContain('activity_core_events_total{fate="accepted"} 4');
  expect(text).toContain('activity_core_quarantined_total{reason="not_json"} 1');
  expect(text).toContain('activity_core_runs_total{definition_id="fails-always",status="failed"} 4');
  expect(text).toContain('activity_core_run_duration_seconds_count{definition_id="fails-always"} 4');
  expect(text).toContain('activity_core_run_duration_seconds_count{definition_id="on-event"} 4');
  expect(text).toContain('activity_core_tasks_total{definition_id="on-event",status="created"} 4');
  expect(text).toContain('activity_core_flush_messages_sum 5');
  expect(text).toMatch(/^activity_core_consumer_lag \d+$/m);
  expect(text).toContain('activity_core_outbox_oldest_seconds 0');
  expect(text).toContain('activity_core_outbox_stranded 0');
  expect(text).toContain('activity_core_emit_give_up_seconds 86400');
  for (const role of ['worker', 'subscriber', 'api'])
    expect(text).toContain(`activity_core_role{role="${role}"} 1`);
  for (const check of ['postgres', 'nats', 'temporal', 'definitions'])
    expect(text).toContain(`activity_core_ready{check="${check}"} 1`);
});

test('a run that failed is found in the log by its run, event, definition and dispatch', async () => {
  const { rows } = await live.path.pool.query(
    "SELECT run_id, definition_id, event_uid, dispatch_id FROM activity_runs WHERE definition_id = 'fails-always'",
  );
  expect(rows).toHaveLength(4);
  const lines = service
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  for (const ids of rows)
    expect(lines).toContainEqual(
      expect.objectContaining({ ...ids, code: 'rule_error', msg: 'a run failed' }),
    );
  const { rows: refused } = await live.path.pool.query('SELECT id FROM quarantined_events');
  expect(lines).toContainEqual(
    expect.objectContaining({ reasons: ['not_json'], quarantine_ids: [refused[0].id] }),
  );
});

test('the trace of an event goes to its run and its task: the envelope’s, else the message’s; none, or no valid one, adds nothing', async () => {
  const { rows } = await live.path.pool.query(
    `SELECT id, e.traceparent AS of_event, r.traceparent AS of_run, r.run_id
       FROM events e JOIN activity_runs r USING (event_uid) WHERE r.definition_id = 'on-event' ORDER BY id`,
  );
  expect(rows.map(({ id, of_event, of_run }) => [id, of_event, of_run])).toEqual([
    ['of-event', OF_EVENT, OF_EVENT],
    ['of-message', OF_MESSAGE, OF_MESSAGE],
    ['untraced', null, null],
    ['wrongly-traced', null, null],
  ]);
  const posts = live.issueCore.requests().filter(({ method }) => method === 'POST');
  const sources = new Map(posts.map(({ body }) => JSON.parse(body).source).map((one) => [one.event_id, one]));
  const expected = (id: string) => rows.find((row) => row.id === id)?.of_run;
  for (const id of ['of-event', 'of-message']) expect(sources.get(id).traceparent).toBe(expected(id));
  for (const id of ['untraced', 'wrongly-traced'])
    expect(Object.keys(sources.get(id))).toEqual([
      'system',
      'definition_id',
      'definition_hash',
      'run_id',
      'rule_id',
      'event_id',
    ]);
  const [{ event_uid }] = (await live.path.pool.query("SELECT event_uid FROM events WHERE id = 'of-event'"))
    .rows;
  const run_id = runId('on-event', `event:${event_uid}`);
  const shown = await (await fetch(`${service.url}/api/v1/runs/${run_id}`)).json();
  expect(shown).toMatchObject({ run_id, traceparent: OF_EVENT });
});
