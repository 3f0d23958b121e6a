/** The table of fates (contract 2) through the whole service, published by a plain NATS client and read by HTTP. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { applyFolder } from '../setup/apply-folder.ts';
import {
  createEventPath,
  definitionsFolder,
  type EventPath,
  metricsEvent,
  SUBJECT,
} from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const READS_A_MISSING_FIELD = `
id: reads-a-missing-field
title: Reads a field that an event may leave out
owner: tests
trigger: { event: { type: kaizen.metrics.recorded, filter: 'event.source == "missing"' } }
context_sources: [{ type: event-payload, bind_to: context.metrics }]
rules:
  - id: quality
    condition: context.metrics.summary.avg_quality < 0.5
    task: { title: never }
`;

let path: EventPath;
let service: ServiceProcess;
let definitions: Awaited<ReturnType<typeof definitionsFolder>>;

beforeAll(async () => {
  definitions = await definitionsFolder({ 'reads-a-missing-field.yaml': READS_A_MISSING_FIELD });
  path = await createEventPath(inject('servers'), { definitions: definitions.path });
  service = await spawnService(path);
  await service.ready();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await path[Symbol.asyncDispose]();
  await definitions[Symbol.asyncDispose]();
});

// biome-ignore lint/suspicious/noExplicitAny: what others see is checked as they see it
type Seen = any;

async function get(route: string): Promise<Seen> {
  const response = await fetch(`${service.url}/api/v1/${route}`);
  return response.json();
}

async function post(route: string, body: unknown = {}): Promise<Seen> {
  const response = await fetch(`${service.url}/api/v1/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...((await response.json()) as object) };
}

const ended = (eventId: string): Promise<Seen> =>
  until(`the run of ${eventId} has ended`, async () => {
    const { items } = await get(`runs?event_id=${eventId}`);
    return (
      items.length > 0 &&
      items.every((run: Seen) => run.status !== 'running') &&
      get(`runs/${items[0].run_id}`)
    );
  });

const quarantined = (id: string): Promise<Seen> =>
  until(`${id} is in quarantine`, async () => {
    const { items } = await get('quarantine?limit=100');
    return items.find((item: Seen) => Buffer.from(item.bytes_base64, 'base64').toString().includes(id));
  });

test('a low success rate becomes one run and one audited spec with its title rendered', async () => {
  await path.publish(metricsEvent('low', 0.62));
  const run = await ended('low');
  expect(run).toMatchObject({
    definition_id: 'low-success-rate-review',
    status: 'completed',
    task_count: 1,
    sink_mode: 'audit',
    error: null,
    trigger: { kind: 'event', event_id: 'low' },
    context: { metrics: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } } },
    rules: [
      { rule_id: 'low-success-rate', result: true, values: { 'context.metrics.summary.success_rate': 0.62 } },
    ],
  });
  expect(run.temporal.workflow_id).toBeTruthy();
  const { items } = await get(`tasks?run_id=${run.run_id}`);
  expect(items).toMatchObject([
    {
      status: 'audited',
      rule_id: 'low-success-rate',
      dedupe_key: 'low-success-rate:kaizen-agentic:coach',
      spec: { title: 'Review coach in kaizen-agentic', description: 'Success rate 0.62', priority: 'medium' },
    },
  ]);
});

test('a healthy event completes without a task, and the value that was read is on record', async () => {
  await path.publish(metricsEvent('healthy', 0.95));
  const run = await ended('healthy');
  expect(run).toMatchObject({ status: 'completed', task_count: 0 });
  expect(run.rules).toMatchObject([
    { result: false, values: { 'context.metrics.summary.success_rate': 0.95 } },
  ]);
});

test('the same id again is counted as a duplicate, also after a restart, and makes no second run', async () => {
  await path.publish(metricsEvent('again', 0.1));
  await ended('again');
  await path.publish(metricsEvent('again', 0.1));
  await until('one duplicate is counted', async () => (await get('events/again')).duplicates === 1);
  await service.stop();
  service = await spawnService(path);
  await service.ready();
  await path.publish(metricsEvent('again', 0.1));
  await until('two duplicates are counted', async () => (await get('events/again')).duplicates === 2);
  expect((await get('runs?event_id=again')).items).toHaveLength(1);
});

test('the same id from another source is a run of its own, and the id alone is then ambiguous', async () => {
  await path.publish(metricsEvent('shared', 0.1, { source: 'one' }));
  await path.publish(metricsEvent('shared', 0.1, { source: 'two' }));
  await until('both have run', async () => (await get('runs?event_id=shared')).items.length === 2);
  expect(await get('events/shared')).toMatchObject({ status: 409, code: 'ambiguous_id' });
});

test('the same id with other attributes is an id_conflict', async () => {
  await path.publish(metricsEvent('conflict', 0.1));
  await ended('conflict');
  await path.publish(metricsEvent('conflict', 0.2));
  expect(await quarantined('conflict')).toMatchObject({ reason: 'id_conflict', state: 'open' });
});

test('empty attributes are quarantined with the pointer of each violation', async () => {
  await path.publish(metricsEvent('empty', 0, { attributes: {} }));
  const item = await quarantined('"empty"');
  expect(item.reason).toBe('invalid_attributes');
  expect(item.violations.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    '/attributes/agent',
    '/attributes/project',
    '/attributes/summary',
  ]);
});

test('a rule that reads a missing field fails its run with rule, expression and values', async () => {
  await path.publish(metricsEvent('missing-field', 0.1, { source: 'missing' }));
  await until('both have run', async () => (await get('runs?event_id=missing-field')).items.length === 2);
  const { items } = await get('runs?event_id=missing-field&status=failed');
  expect(items).toMatchObject([
    {
      definition_id: 'reads-a-missing-field',
      error: {
        code: 'rule_error',
        details: {
          rule_id: 'quality',
          expression: 'context.metrics.summary.avg_quality < 0.5',
          values: { 'context.metrics.summary.avg_quality': '(missing)' },
        },
      },
    },
  ]);
  expect((await get('runs?event_id=missing-field&status=completed')).items).toHaveLength(1);
});

test('a CloudEvents event does the same', async () => {
  const { attributes: data, ...rest } = metricsEvent('cloud', 0.3);
  await path.publish({ specversion: '1.0', datacontenttype: 'application/json', ...rest, data });
  expect(await ended('cloud')).toMatchObject({ status: 'completed', task_count: 1 });
});

test('a filtered event says which filter and what it read', async () => {
  const attributes = { agent: 'coach', project: 'sandbox', summary: { success_rate: 0.1 } };
  await path.publish(metricsEvent('sandboxed', 0.1, { attributes }));
  const event = await until('the event is recorded', async () => {
    const found = await get('events/sandboxed');
    return found.fate && found;
  });
  expect(
    event.decisions.find((decision: Seen) => decision.definition_id === 'low-success-rate-review'),
  ).toMatchObject({
    outcome: 'filtered',
    reason: 'event.attributes.project != "sandbox"',
    values: { 'event.attributes.project': 'sandbox' },
    run_id: null,
  });
});

test('a mended registry entry lets a quarantined event be redriven, first dry', async () => {
  const subject = 'activity.kaizen.agent.retired';
  await path.publish(
    metricsEvent('retired', 0, { type: 'kaizen.agent.retired', attributes: { agent: 'coach' } }),
    subject,
  );
  const { id, reason } = await quarantined('"retired"');
  expect(reason).toBe('unregistered_type');
  expect(await post(`quarantine/${id}/redrive`)).toMatchObject({ status: 200, fate: 'quarantined' });
  await using mended = await definitionsFolder({
    'reads-a-missing-field.yaml': READS_A_MISSING_FIELD,
    'event-types/kaizen.agent.retired.yaml':
      'type: kaizen.agent.retired\ntitle: An agent was retired\nowner: kaizen\nattributes_schema: { type: object, required: [agent], properties: { agent: { type: string } } }\n',
    'retired-agent.yaml':
      'id: retired-agent\ntitle: t\nowner: kaizen\ntrigger: { event: { type: kaizen.agent.retired } }\ncontext_sources: [{ type: event-payload, bind_to: context.agent }]\nrules: [{ id: tell, condition: "true", task: { title: "Farewell {{ context.agent.agent }}" } }]\n',
  });
  await applyFolder(path.pool, mended.path);
  expect(await post(`quarantine/${id}/redrive`, { dry_run: true })).toMatchObject({
    fate: 'accepted',
    decisions: [{ outcome: 'fired' }],
  });
  expect(await get(`quarantine/${id}`)).toMatchObject({ state: 'open' });
  expect(await post(`quarantine/${id}/redrive`)).toMatchObject({ status: 200, fate: 'accepted' });
  expect(await ended('retired')).toMatchObject({ status: 'completed', task_count: 1 });
  expect(await post(`quarantine/${id}/redrive`)).toMatchObject({ status: 409, code: 'wrong_state' });
});

test('a header that no client can read keeps no event from its fate, and stops nobody', async () => {
  const { port, hostname } = new URL(path.own.nats_url);
  const payload = JSON.stringify(metricsEvent('odd-header', 0.9));
  const headers = 'NATS/1.0\r\nbad key: v\r\n\r\n';
  const socket = connect(Number(port), hostname);
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  socket.write(
    `HPUB ${SUBJECT} ${headers.length} ${headers.length + payload.length}\r\n${headers}${payload}\r\n`,
  );
  expect(await ended('odd-header')).toMatchObject({ status: 'completed' });
  socket.destroy();
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
});

test('nothing that is not an event stays without a fate', async () => {
  const bodies = ['not json', 'x'.repeat(300 * 1024), '[]', '{"id":"\\u0000"}', Buffer.from([0xff, 0xfe])];
  const before = (await get('quarantine?limit=500')).items.length;
  for (const body of bodies) await path.publish(body);
  await path.publish(metricsEvent('elsewhere'), 'activity.some.other.type');
  await until(
    'all are in quarantine',
    async () => (await get('quarantine?limit=500')).items.length === before + bodies.length + 1,
  );
  await path.drained();
  const text = await (await fetch(`${service.url}/metrics`)).text();
  expect(text).toContain('activity_core_quarantined_total{reason="not_json"} 2');
  expect(text).toContain('activity_core_quarantined_total{reason="too_large"} 1');
  expect(text).toContain('activity_core_quarantined_total{reason="subject_mismatch"} 1');
  expect(SUBJECT).not.toBe('activity.some.other.type');
});
