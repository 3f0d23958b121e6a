/** The recipes of docs/runbook.md by symptom: each command is run, against a real service on which the thing has happened. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { createEventPath, definitionsFolder, metricsEvent } from '../setup/event-path.ts';
import { liveByHand, reviewCurrent, startByHand, TOKEN } from '../setup/live-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { blocksBelow, createReader } from '../setup/shell-steps.ts';
import { until } from '../setup/until.ts';

const runbook = await readFile('docs/runbook.md', 'utf8');
/** Schedules that ship come due meanwhile, and some of their runs fail here. */
const OURS = /careless|by-hand/;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** Fails where an event has no `runs`; mended, it asks first. */
const careless = (condition: string) => `
id: careless
title: Reads what may be missing
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
context_sources:
  - { type: event-payload, bind_to: context.metrics }
rules:
  - id: many
    condition: ${condition}
    task: { title: Many runs }
`;

const buildFinished = `
type: build.finished
title: A build finished
owner: tests
attributes_schema: { type: object }
`;

async function createOperator() {
  const opened = new AsyncDisposableStack();
  const definitions = opened.use(
    await definitionsFolder({
      'careless.yaml': careless('context.metrics.summary.runs > 3'),
      ...liveByHand('by-hand', ['a task']),
    }),
  );
  // The recipes plan and apply: schedules of other tests would be in the way.
  const path = opened.use(
    await createEventPath(inject('servers'), { definitions: definitions.path, own: ['temporal'] }),
  );
  await reviewCurrent(path.pool, 'by-hand');
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  opened.defer(issueCore.close);
  const environment = {
    ...path.environment,
    DEFINITIONS_DIR: definitions.path,
    ISSUE_SINK_TYPE: 'issue-core',
    ISSUE_CORE_URL: issueCore.url,
    ISSUE_CORE_TOKEN: TOKEN,
  };
  const service = opened.use(await spawnService({ environment }));
  await service.ready();
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-incidents-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const reader = await createReader(folder, service.url, {});
  const placeholders = new Map<string, string>();

  return {
    path,
    issueCore,
    service,
    apply: () => reader.run('npx activity-core definitions apply\n'),
    write: (file: string, text: string) => writeFile(join(definitions.path, file), text),
    /** Runs the commands of the nth block below a heading, one after the other. What they printed. */
    async follow(heading: string, nth = 0): Promise<string> {
      const block = blocksBelow(runbook, heading).filter(({ language }) => language === 'sh')[nth];
      if (!block) throw new Error(`there is no block ${nth} below "${heading}"`);
      let printed = '';
      for (const line of block.text.trimEnd().split('\n')) {
        const command = line.replaceAll(/\b[A-Z]+_ID\b/g, (name) => placeholders.get(name) ?? name);
        const said = await reader.run(`${command}\n`);
        const list = /^npx activity-core (run|quarantine)s? list/.exec(line);
        const told = said.split('\n').find((row) => OURS.test(row) && UUID.test(row)) ?? said;
        const id = UUID.exec(told)?.[0];
        if (list && id) placeholders.set(list[1] === 'run' ? 'RUN_ID' : 'QUARANTINE_ID', id);
        printed += said;
      }
      return printed;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

let operator: Awaited<ReturnType<typeof createOperator>>;

beforeAll(async () => {
  operator = await createOperator();
  await operator.apply();
});

afterAll(() => operator?.[Symbol.asyncDispose]());

const runsThat = (where: string) => operator.path.count('activity_runs', where);

test('a quarantined event is looked at, its cause is mended, and it is run again; another is put aside', async () => {
  const { path, follow, write, apply } = operator;
  const isOpen = "state = 'open'";
  await path.publish(metricsEvent('build-1', 0.5, { type: 'build.finished' }), 'activity.build.finished');
  await until('it is refused', async () => (await path.count('quarantined_events', isOpen)) === 1);
  expect(await follow('Events are quarantined')).toContain('unregistered_type');
  await write('event-types/build.finished.yaml', buildFinished);
  await apply();
  expect(await follow('Events are quarantined', 1)).toContain('It is accepted');
  expect(await path.count('events', "id = 'build-1'")).toBe(1);

  await path.publish('no JSON');
  await until('it is refused', async () => (await path.count('quarantined_events', isOpen)) === 1);
  expect(await follow('Events are quarantined')).toContain('not_json');
  await follow('Events are quarantined', 2);
  expect(await path.count('quarantined_events', isOpen)).toBe(0);
});

test('a failed run is looked at, its definition is mended, and it is retried', async () => {
  const { path, follow, write, apply } = operator;
  await path.publish(metricsEvent('careless-1'));
  await until(
    'its run fails',
    async () => (await runsThat("status = 'failed' AND definition_id = 'careless'")) === 1,
  );
  expect(await follow('Runs fail')).toContain('rule_error');
  await write(
    'careless.yaml',
    careless('has(context.metrics.summary.runs) && context.metrics.summary.runs > 3'),
  );
  await apply();
  await follow('Runs fail', 1);
  await until(
    'the retry completes',
    async () => (await runsThat("trigger_kind = 'retry' AND status = 'completed'")) === 1,
  );
});

test.each([
  ['Tasks stay pending', 1],
  ['A wrong token', 0],
])('what a refused token left pending is sent on the word of an operator: %s', async (recipe, nth) => {
  const { path, issueCore, service, follow } = operator;
  await reviewCurrent(path.pool, 'low-success-rate-review');
  const before = issueCore.tasks().length;
  issueCore.setFaults({ faults: ['unauthorized'], rate: 1 });
  await startByHand(service, 'by-hand');
  await until('it stops', async () => (await runsThat("error->>'code' = 'sink_unauthorized'")) === 1);
  expect(await follow('Tasks stay pending')).toContain('sink_unauthorized');
  issueCore.setFaults({ faults: [] });
  await follow(recipe, nth);
  await until('the task is there', async () => issueCore.tasks().length === before + 1);
});

test('a loop is shown with its chain, and put aside', async () => {
  const { path, follow } = operator;
  for (let depth = 0; depth <= 6; depth++) {
    const cause = depth === 0 ? {} : { causation_id: `loop-${depth - 1}` };
    await path.publish(metricsEvent(`loop-${depth}`, 0.9, cause));
  }
  const isLoop = "reason = 'causal_loop' AND state = ";
  await until(
    'the last is refused',
    async () => (await path.count('quarantined_events', `${isLoop}'open'`)) === 1,
  );
  expect(await follow('A loop')).toContain('loop-0');
  expect(await path.count('quarantined_events', `${isLoop}'discarded'`)).toBe(1);
});

test('the commands that only look answer', async () => {
  const { follow } = operator;
  expect(await follow('Consumer lag grows')).toMatch(
    /activity_core_consumer_lag 0[\s\S]*activity_core_open_dispatches/,
  );
  expect(await follow('An expectation is breached')).toContain('daily-statehub-wsjf-triage');
  expect(await follow('Trust is lost')).toContain('is not trusted');
  expect(await follow('Not ready')).toContain('"status":"ready"');
  expect(await follow('Nothing is measured')).toContain('activity_core_events_total');
  await follow('PostgreSQL from an older state');
});

test('those that start something start it', async () => {
  const { follow } = operator;
  await follow('An expectation is breached', 1);
  await until(
    'the run is there',
    async () =>
      (await runsThat("definition_id = 'daily-statehub-wsjf-triage' AND trigger_kind = 'manual'")) === 1,
  );
  await follow('Evidence posture');
  await follow('Ticks are missed');
  expect(await follow('Ticks are missed', 1)).toContain('would start');
  expect(await runsThat("definition_id = 'hourly-coach-orientation'")).toBeGreaterThan(20);
  await follow('A storm');
});
