/** The commands against the real API and a real NATS, in this process. */
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { bytesOf, createTestApi, manualDefinition, reviewDefinition, type TestApi } from '../setup/api.ts';
import { type CapturedSurroundings, captureCli } from '../setup/captured-cli.ts';
import { metricsEvent, NATS_ANSWER_MS } from '../setup/event-path.ts';

/** Two rules that hold, where one task is allowed. */
const TOO_MANY_TASKS = {
  rules: ['one', 'two'].map((id) => ({ id, condition: 'true', task: { title: `Task ${id}` } })),
  limits: { max_tasks_per_run: 1 },
};

let api: TestApi;
let apiAddress: string;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
beforeEach(async () => {
  await api.declare([reviewDefinition()]);
  await api.clear();
});
afterAll(() => api[Symbol.asyncDispose]());

const cli = (argv: string[], more: CapturedSurroundings = {}) => captureCli(argv, { apiAddress, ...more });

/** Received, matched and run. */
async function handled(...events: object[]): Promise<void> {
  const recorded = await api.receive(...events.map((event) => ({ bytes: bytesOf(event) })));
  await api.runAll(recorded.dispatch_ids);
}

/** As the API itself answers it. */
const answerOf = async (path: string) => (await api.get(`/api/v1/${path}`)).body;

async function onlyRunId(): Promise<string> {
  const { rows } = await api.pool.query('SELECT run_id FROM activity_runs');
  expect(rows).toHaveLength(1);
  return rows[0].run_id;
}

async function refusedId(): Promise<string> {
  const { rows } = await api.pool.query('SELECT id FROM quarantined_events');
  expect(rows).toHaveLength(1);
  return rows[0].id;
}

describe('lists', () => {
  test.each([
    ['runs', 'No runs.'],
    ['tasks', 'No tasks.'],
    ['events', 'No events.'],
    ['quarantine', 'Nothing in quarantine.'],
  ])('of %s that are empty say so, and are an empty page in JSON', async (group, told) => {
    const { exitCode, out } = await cli([group, 'list']);
    expect(exitCode).toBe(0);
    expect(out).toContain(told);
    const json = await cli([group, 'list', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ items: [], next_cursor: null });
  });

  test.each([
    ['runs', 'low-success-rate-review'],
    ['tasks', 'Review coach in kaizen-agentic'],
    ['events', 'kaizen.metrics.recorded'],
    ['quarantine', 'not_json'],
  ])('of %s show what there is, and the API’s answer in JSON', async (group, told) => {
    await handled(metricsEvent('e-1'));
    await api.receive({ bytes: bytesOf('{') });
    expect((await cli([group, 'list'])).out).toContain(told);
    expect(JSON.parse((await cli([group, 'list', '--json'])).out)).toEqual(await answerOf(group));
  });

  test('of runs are filtered by each option', async () => {
    await handled(metricsEvent('e-1'));
    const hits = async (...options: string[]) => {
      const { exitCode, out } = await cli(['runs', 'list', '--json', ...options]);
      expect(exitCode).toBe(0);
      return JSON.parse(out).items.length;
    };
    expect(await hits('--definition', 'low-success-rate-review', '--status', 'completed')).toBe(1);
    expect(await hits('--trigger', 'event', '--event-id', 'e-1', '--since', '1h')).toBe(1);
    expect(await hits('--status', 'failed')).toBe(0);
    expect(await hits('--until', '1h')).toBe(0);
    expect(await hits('--definition', 'other')).toBe(0);
  });

  test.each([
    [
      'runs list --definition low-sucess-rate-review',
      'no definition `low-sucess-rate-review` is applied; did',
    ],
    ['tasks list --definition low-sucess-rate-review', 'did you mean `low-success-rate-review`?'],
    ['tasks resume --definition low-sucess-rate-review', 'did you mean `low-success-rate-review`?'],
    ['ticks --definition low-sucess-rate-review', 'did you mean `low-success-rate-review`?'],
    [
      'events list --type kaizen.metric.recorded',
      'no event type `kaizen.metric.recorded` is registered; did',
    ],
    ['events list --type kaizen.metric.recorded', 'did you mean `kaizen.metrics.recorded`?'],
  ])('that are empty because of a name that nothing has say so: %s', async (command, told) => {
    const { exitCode, err } = await cli(command.split(' '));
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: expect.stringContaining(told) });
  });

  test('that are empty although the name is known say nothing of it', async () => {
    expect((await cli(['runs', 'list', '--definition', 'low-success-rate-review'])).err).toBe('');
    expect((await cli(['events', 'list', '--type', 'kaizen.metrics.recorded'])).err).toBe('');
  });

  test('go on where the last one ended', async () => {
    await handled(metricsEvent('e-1'), metricsEvent('e-2'), metricsEvent('e-3'));
    const first = await cli(['events', 'list', '--limit', '2']);
    const cursor = /more: --cursor (\S+)$/.exec(first.out)?.[1] ?? '';
    const second = await cli(['events', 'list', '--limit', '2', '--cursor', cursor]);
    const ids = (out: string) => out.match(/e-\d/g);
    expect([...(ids(first.out) ?? []), ...(ids(second.out) ?? [])].sort()).toEqual(['e-1', 'e-2', 'e-3']);
    expect(second.out).not.toContain('more:');
  });
});

describe('runs', () => {
  test('are shown with their rules, the values read, and their tasks', async () => {
    await handled(metricsEvent('e-1', 0.62));
    const { exitCode, out } = await cli(['runs', 'show', await onlyRunId()]);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/trigger\s+event e-1/);
    expect(out).toContain('low-success-rate is true: context.metrics.summary.success_rate < 0.8');
    expect(out).toContain('context.metrics.summary.success_rate = 0.62');
    expect(out).toContain('audited: Review coach in kaizen-agentic');
  });

  test('that failed are shown with the reason, and retried', async () => {
    await api.declare([reviewDefinition(TOO_MANY_TASKS)]);
    await handled(metricsEvent('e-1'));
    const failed = await onlyRunId();
    const shown = await cli(['runs', 'show', failed]);
    expect(shown.exitCode).toBe(0);
    expect(shown.out).toContain('task_limit_exceeded: ');
    expect(shown.out).toContain(`activity-core runs retry ${failed}`);

    expect((await cli(['runs', 'retry', failed, '--dry-run'])).exitCode).toBe(1);
    await api.declare([reviewDefinition()]);
    const rehearsed = await cli(['runs', 'retry', failed, '--dry-run']);
    expect(rehearsed.exitCode).toBe(0);
    expect(rehearsed.out).toContain('It would complete, with 1 task.');
    const retried = await cli(['runs', 'retry', failed]);
    expect(retried.exitCode).toBe(0);
    expect(retried.out).toContain(`a retry of ${failed}`);
    await api.runAll();
    const [, retry = ''] = /Started run (\S+),/.exec(retried.out) ?? [];
    const since = (await cli(['runs', 'show', failed])).out;
    expect(since).toContain(`It was retried as run ${retry} (completed): activity-core runs show ${retry}`);
    expect(since).not.toContain('runs retry');

    const { out } = await cli(['events', 'explain', 'e-1']);
    expect(out).toContain(`, a retry of ${failed}`);
  });

  test('whose retry failed too say so, and the retry is what to retry', async () => {
    await api.declare([reviewDefinition(TOO_MANY_TASKS)]);
    await handled(metricsEvent('e-1'));
    const failed = await onlyRunId();
    const [, retry = ''] = /Started run (\S+),/.exec((await cli(['runs', 'retry', failed])).out) ?? [];
    await api.runAll();
    const { out } = await cli(['runs', 'show', failed]);
    expect(out).toContain(`It was retried as run ${retry} (failed): activity-core runs show ${retry}`);
    expect(out).toContain(`Once the cause is mended: activity-core runs retry ${retry}`);
    expect((await answerOf(`runs/${retry}`)).retried_as).toBeNull();
  });

  test('that failed say once what the rule read, in the words of the definition', async () => {
    const rule = { id: 'r', for_each: 'context.regs', as: 'reg', condition: 'reg.severity == "high"' };
    await api.declare([
      reviewDefinition({
        context_sources: [{ type: 'static', bind_to: 'context.regs', params: { value: [{ name: 'a' }] } }],
        rules: [{ ...rule, task: { title: 'T' } }],
      }),
    ]);
    await handled(metricsEvent('e-1'));
    const { out } = await cli(['runs', 'show', await onlyRunId()]);
    expect(out).toContain('rule_error: rule r, condition: ');
    expect(out).toContain('reg = {"name":"a"}');
    expect(out.split('reg.severity is missing')).toHaveLength(2);
    expect(out.split('reg.severity == "high"')).toHaveLength(2);
    const explained = await cli(['events', 'explain', 'e-1']);
    expect(explained.out).toContain('low-success-rate-review fired: it ran, and the run failed');
    expect(explained.out.split('reg.severity == "high"')).toHaveLength(2);
  });

  test('that do not exist end with 1', async () => {
    const { exitCode, out, err } = await cli(['runs', 'show', randomUUID()]);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(err).toContain('error: not_found: no run has the id');
    const part = await cli(['runs', 'show', randomUUID().slice(0, 8)]);
    expect(part).toMatchObject({ exitCode: 1, err: expect.stringContaining('expected a whole one') });
  });
});

describe('events explain', () => {
  test('tells decisions, values, runs and tasks in one go', async () => {
    await api.declare([
      reviewDefinition(),
      reviewDefinition({
        id: 'other',
        trigger: { event: { type: 'kaizen.metrics.recorded', filter: 'event.source == "elsewhere"' } },
      }),
    ]);
    const event = metricsEvent('e-1', 0.62);
    await handled(event);
    await handled(event);
    const { exitCode, out } = await cli(['events', 'explain', 'e-1']);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^event e-1 from kaizen-agentic accepted/);
    expect(out).toContain('it came 1 more time, and was not run again');
    expect(out).toContain('low-success-rate-review fired');
    expect(out).toContain('event.attributes.project = "kaizen-agentic"');
    expect(out).toContain('audited: Review coach in kaizen-agentic');
    expect(out).toContain('other filtered: its filter said no');
    expect(out).toContain('because of: event.source == "elsewhere"');
    expect(out).toContain('event.source = "kaizen-agentic"');
  });

  test('in JSON is the event with its runs', async () => {
    await handled(metricsEvent('e-1'));
    const runId = await onlyRunId();
    const { out } = await cli(['events', 'explain', 'e-1', '--json']);
    expect(JSON.parse(out)).toEqual({
      ...(await answerOf('events/e-1')),
      runs: [await answerOf(`runs/${runId}`)],
    });
  });

  test('of an event that nobody has ends with 1', async () => {
    const { exitCode, err } = await cli(['events', 'explain', 'e-9']);
    expect(exitCode).toBe(1);
    expect(err).toContain('nothing in quarantine has this id either');
  });

  test('of an event that was refused says why and where it is', async () => {
    await api.receive({ bytes: bytesOf({ id: 'e-1' }) });
    const { exitCode, err } = await cli(['events', 'explain', 'e-1']);
    expect(exitCode).toBe(1);
    expect(err).toContain('what came was refused (invalid_envelope) and is in quarantine, open: ');
    expect(err).toContain(`quarantine show ${await refusedId()}`);
  });

  test('of an accepted event says what else came with its id and was refused', async () => {
    await handled(metricsEvent('e-1', 0.62));
    expect((await cli(['events', 'explain', 'e-1'])).out).not.toContain('in quarantine');
    await api.receive({ bytes: bytesOf(metricsEvent('e-1', 0.5)) });
    const { out } = await cli(['events', 'explain', 'e-1']);
    expect(out).toContain('is in quarantine (id_conflict): activity-core quarantine list --event-id e-1');
  });

  test('of a held event does not speak of a filter', async () => {
    await api.declare([reviewDefinition({ trigger: { event: { type: 'kaizen.metrics.recorded' } } })]);
    await cli(['definitions', 'pause', 'low-success-rate-review', '--reason', 'for now']);
    await api.receive({ bytes: bytesOf(metricsEvent('e-1')) });
    const { out } = await cli(['events', 'explain', 'e-1']);
    await cli(['definitions', 'resume', 'low-success-rate-review', '--held', 'discard']);
    expect(out).toContain('low-success-rate-review held: the definition was paused; it waits for the resume');
    expect(out).not.toContain('filter');
  });
});

describe('dry-run', () => {
  test('tells rules and tasks, and writes nothing', async () => {
    const before = await api.countRows();
    const stdin = JSON.stringify(metricsEvent('e-1', 0.62));
    const { exitCode, out } = await cli(['dry-run', 'low-success-rate-review', '--event', '-'], { stdin });
    expect(exitCode).toBe(0);
    expect(out).toContain('by low-success-rate: Review coach in kaizen-agentic');
    expect(await api.countRows()).toEqual(before);
  });

  test('that would fail ends with 1, in JSON as well', async () => {
    await api.declare([reviewDefinition(TOO_MANY_TASKS)]);
    const stdin = JSON.stringify(metricsEvent('e-1'));
    const told = await cli(['dry-run', 'low-success-rate-review', '--event', '-'], { stdin });
    expect(told.exitCode).toBe(1);
    expect(told.out).toContain('It would fail');
    const json = await cli(['dry-run', 'low-success-rate-review', '--event', '-', '--json'], { stdin });
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.out).errors[0].code).toBe('task_limit_exceeded');
  });

  test('without the event that it needs is bad use, a refused event is a no', async () => {
    expect((await cli(['dry-run', 'low-success-rate-review'])).exitCode).toBe(2);
    const stdin = JSON.stringify({ ...metricsEvent('e-1'), attributes: {} });
    const refused = await cli(['dry-run', 'low-success-rate-review', '--event', '-'], { stdin });
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toContain('invalid_event');
  });
});

describe('quarantine', () => {
  test('is listed with the ids of the events, and filtered by them', async () => {
    await api.receive({ bytes: bytesOf({ id: 'e-1' }) }, { bytes: bytesOf({ id: 'e-2' }) });
    const { out } = await cli(['quarantine', 'list', '--event-id', 'e-2']);
    expect(out.split('\n')).toHaveLength(2);
    expect(out).toMatch(/^RECEIVED +ID +EVENT +STATE .*\n.* e-2 +open +invalid_envelope /);
  });

  test('shows what was received and why it was refused', async () => {
    await api.receive({ bytes: bytesOf('{"id": \u001b[31m') });
    const { exitCode, out } = await cli(['quarantine', 'show', await refusedId()]);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/reason\s+not_json/);
    expect(out).toContain('What was received\n  {"id": ');
    expect(out).not.toContain('\u001b');
  });

  test('asked for by the id of an event says how to find it', async () => {
    await api.receive({ bytes: bytesOf({ id: 'e-1' }) });
    const { exitCode, err } = await cli(['quarantine', 'show', 'e-1']);
    expect(exitCode).toBe(1);
    expect(err).toContain('quarantine list --event-id e-1');
  });

  test('says which type was probably meant', async () => {
    const event = { ...metricsEvent('e-1'), type: 'kaizen.metric.recorded' };
    await api.receive({ bytes: bytesOf(event), subject: 'activity.kaizen.metric.recorded' });
    const { out } = await cli(['quarantine', 'show', await refusedId()]);
    expect(out).toContain(
      'kaizen.metric.recorded is not registered; did you mean `kaizen.metrics.recorded`?',
    );
  });

  test('redrives, first dry, and says no while the cause stands', async () => {
    const event = { ...metricsEvent('e-1'), type: 'kaizen.metrics.lost' };
    await api.receive({ bytes: bytesOf(event), subject: 'activity.kaizen.metrics.lost' });
    const id = await refusedId();
    const refused = await cli(['quarantine', 'redrive', id, '--dry-run']);
    expect(refused.exitCode).toBe(1);
    expect(refused.out).toContain('It would be refused again');

    await api.declare(
      [],
      [{ type: 'kaizen.metrics.lost', title: 'Lost', owner: 'kaizen', attributes_schema: {} }],
    );
    expect(await cli(['quarantine', 'redrive', id, '--dry-run'])).toMatchObject({ exitCode: 0 });
    const redriven = await cli(['quarantine', 'redrive', id]);
    expect(redriven.exitCode).toBe(0);
    expect(redriven.out).toContain('It is accepted; no enabled definition has its type.');
    expect((await cli(['quarantine', 'redrive', id])).exitCode).toBe(1);
  });

  test('discards with a reason', async () => {
    await api.receive({ bytes: bytesOf('{') });
    const id = await refusedId();
    const { exitCode, out } = await cli(['quarantine', 'discard', id, '--reason', 'a test']);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: `Discarded ${id}.` });
    expect(await answerOf(`quarantine/${id}`)).toMatchObject({ state: 'discarded', state_reason: 'a test' });
  });
});

describe('runs by hand', () => {
  const hourly = manualDefinition({ id: 'hourly', trigger: { schedule: { cron: '15 * * * *' } } });

  test('are started and then shown; two at one moment are two runs, one key is one', async () => {
    await api.declare([manualDefinition()]);
    const ends = await Promise.all([cli(['run', 'by-hand', '--json']), cli(['run', 'by-hand', '--json'])]);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(new Set(ends.map(({ out }) => JSON.parse(out).run_id)).size).toBe(2);
    const keyed = ['run', 'by-hand', '--idempotency-key', 'k', '--reason', 'to see'];
    const { out } = await cli(keyed);
    expect(await cli(keyed)).toEqual({ exitCode: 0, out, err: '' });
    const [, runId = ''] = /Started run (\S+) of by-hand\./.exec(out) ?? [];
    const shown = (await cli(['runs', 'show', runId])).out;
    expect(shown).toMatch(/trigger +manual by cli\n +reason +to see\n/);
    expect((await answerOf('runs')).items).toHaveLength(3);
  });

  test('take an event, and end with 1 where they are refused', async () => {
    const stdin = JSON.stringify(metricsEvent('e-1'));
    const { exitCode } = await cli(['run', 'low-success-rate-review', '--event', '-'], { stdin });
    expect(exitCode).toBe(0);
    await api.declare([manualDefinition({ enabled: false })]);
    const refused = await cli(['run', 'by-hand']);
    expect(refused).toMatchObject({ exitCode: 1, out: '' });
    expect(refused.err).toContain('definition_disabled: by-hand is disabled');
    expect((await cli(['run', 'nobody'])).exitCode).toBe(1);
  });

  test('fill what a schedule missed, and nothing when repeated', async () => {
    await api.declare([hourly]);
    const range = ['--from', '2024-10-20T04:15:00Z', '--to', '2024-10-20T08:15:00Z'];
    const backfill = ['backfill', 'hourly', ...range];
    expect((await cli([...backfill, '--dry-run'])).out).toBe('5 ticks, 0 have runs, 5 would start');
    expect((await cli([...backfill, '--max', '2'])).out).toContain(
      '5 ticks, 0 have runs, 5 would start, 2 of them now\nStarted 2 of 5; 3 are left: run it again.\n',
    );
    expect((await cli(backfill)).out).toContain('5 ticks, 2 have runs, 3 would start\nStarted 3 runs.\n');
    expect((await cli(backfill)).out).toBe('5 ticks, 5 have runs, 0 would start\nNothing to start.');
    expect((await cli(['backfill', 'hourly', '--from', '1h', '--dry-run'])).out).toMatch(
      /^\d ticks?, 0 have/,
    );
  });

  test('that cannot be filled are told with 1 after the preview, bad ranges with 2', async () => {
    await api.declare([{ ...hourly, enabled: false }, manualDefinition()]);
    const disabled = await cli(['backfill', 'hourly', '--from', '2h']);
    expect(disabled).toMatchObject({ exitCode: 1, out: expect.stringMatching(/\d would start/) });
    expect((await cli(['backfill', 'by-hand', '--from', '2h'])).exitCode).toBe(1);
    const future = await cli(['backfill', 'hourly', '--from', '2h', '--to', '2099-01-01T00:00:00Z']);
    expect(future).toMatchObject({ exitCode: 2, out: '' });
    expect(future.err).toContain('later ticks come by themselves');
  });
});

test('definitions and ticks are listed and shown, in JSON as the API answers', async () => {
  for (const [argv, path] of [
    [['definitions', 'list'], 'definitions'],
    [['definitions', 'show', 'low-success-rate-review'], 'definitions/low-success-rate-review'],
    [['ticks'], 'ticks'],
  ] as const) {
    expect((await cli([...argv])).exitCode).toBe(0);
    expect(JSON.parse((await cli([...argv, '--json'])).out)).toEqual(await answerOf(path));
  }
  expect((await cli(['ticks'])).out).toContain('No ticks.');
  expect((await cli(['definitions', 'show', 'nobody'])).exitCode).toBe(1);
});

describe('publish', () => {
  const name = `cli-${randomUUID()}`;
  const { nats_url } = inject('servers');
  const toNats = ['--nats', nats_url, '--subject', `${name}.x`];

  beforeAll(async () => {
    const connection = await connect({ servers: nats_url });
    // Not `activity.>`: other tests' streams of this server have it.
    const manager = await jetstreamManager(connection, { timeout: NATS_ANSWER_MS });
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    await connection.close();
  });

  test('tells stream and sequence, and what JetStream found to be a duplicate', async () => {
    const stdin = JSON.stringify(metricsEvent('e-1'));
    const publish = (...more: string[]) => cli(['publish', '-', ...toNats, '--json', ...more], { stdin });
    const acks = [await publish(), await publish(), await publish('--no-msg-id')];
    expect(acks.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(acks.map(({ out }) => JSON.parse(out))).toMatchObject([
      { subject: `${name}.x`, stream: name, sequence: 1, duplicate: false, msg_id: expect.any(String) },
      { sequence: 1, duplicate: true },
      { sequence: 2, duplicate: false, msg_id: null },
    ]);
    const told = (await cli(['publish', '-', ...toNats], { stdin })).out;
    expect(told).toContain('duplicate: true');
    expect(told).toContain(`NATS ${new URL(nats_url).host}, stream ${name}`);
  });

  test('publishes each line, in order', async () => {
    const stdin = ['l-1', 'l-2', 'l-3'].map((id) => JSON.stringify(metricsEvent(id))).join('\n');
    const { exitCode, out } = await cli(['publish', '-', ...toNats, '--lines'], { stdin });
    expect(exitCode).toBe(0);
    expect(out.match(/l-\d on/g)).toEqual(['l-1 on', 'l-2 on', 'l-3 on']);
  });

  test('ends with 1 where no stream takes the subject', async () => {
    const to = ['--nats', nats_url, '--subject', `nobody-${name}`];
    const { exitCode, err } = await cli(['publish', '-', ...to], { stdin: 'x' });
    expect(exitCode).toBe(1);
    expect(err).toContain(`no stream takes nobody-${name}`);
  });
});
