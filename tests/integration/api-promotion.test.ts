/** The way from audit to live, told step by step. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { createRecordedSink } from '../setup/recorded-sink.ts';

const rules = ['one', 'two'].map((id) => ({
  id,
  condition: 'true',
  task: { title: `Task ${id}`, dedupe_key: `key:${id}` },
}));
const definition = (change: object = {}) => manualDefinition({ rules, ...change });
const issueCore = createRecordedSink();

let sinkType: 'null' | 'issue-core';
let definitionsDir: string;
let api: TestApi;
let apiAddress: string;

beforeAll(async () => {
  definitionsDir = await mkdtemp(join(tmpdir(), 'activity-core-promotion-'));
  await writeFile(join(definitionsDir, 'by-hand.yml'), JSON.stringify(definition()));
  api = await createTestApi(inject('servers').database_url, {
    sinkMode: (revision) => createSinkMode(sinkType)(revision),
    issueCore,
    definitionsDir,
  });
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(definitionsDir, { recursive: true });
});
beforeEach(async () => {
  sinkType = 'issue-core';
  issueCore.reset();
  await api.clear();
  await api.declare([definition()]);
});

const promotion = async () => (await api.get('/api/v1/definitions/by-hand/promotion')).body;
const promote = () => captureCli(['promote', 'by-hand'], { apiAddress });

async function completedRun(): Promise<string> {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll([String(body.workflow_id)]);
  return String(body.run_id);
}

const review = (runId: string, verdict = 'approved') =>
  api.post(`/api/v1/runs/${runId}/review`, { verdict, reviewer: 'ana' });

test('a definition that never ran needs an audit run first; issue-core is asked all the same', async () => {
  expect(await promotion()).toMatchObject({
    ready: false,
    emit: 'audit',
    sink_mode: 'audit',
    run: null,
    review: null,
    tasks: [],
    change: { path: 'emit', from: 'audit', to: 'live' },
    checks: [
      { name: 'declared', ok: true },
      { name: 'audit_run', ok: false },
      { name: 'review', ok: false },
      { name: 'issue_core', ok: true },
      { name: 'sink_type', ok: true },
    ],
  });
  expect(issueCore.asked).toEqual(['findOpen activity-core:probe']);
  const { exitCode, out } = await promote();
  expect(exitCode).toBe(1);
  expect(out).toContain(
    'Next: let it run as audit until it makes a task, or run it by hand: activity-core run by-hand',
  );
});

test('a run that nobody reviewed is shown with its specs and what issue-core has for them', async () => {
  const run_id = await completedRun();
  issueCore.open.set('key:two', ['ISSUE-7']);
  const before = await api.countRows();
  expect(await promotion()).toMatchObject({
    ready: false,
    run: { run_id, status: 'completed', sink_mode: 'audit' },
    tasks: [
      { rule_id: 'one', open: [] },
      { rule_id: 'two', open: [{ ref: 'ISSUE-7' }] },
    ],
  });
  expect(issueCore.asked.toSorted()).toEqual(['findOpen key:one', 'findOpen key:two']);
  expect(await api.countRows()).toEqual(before);
  const { exitCode, out } = await promote();
  expect(exitCode).toBe(1);
  expect(out).toContain('3. ✗ review: nobody has reviewed a run of this content');
  expect(out).toContain('issue-core: open under this key: ISSUE-7');
  expect(out).toContain(`activity-core review ${run_id} --verdict approved --reviewer NAME`);
});

test('approved, only the line in the file is left', async () => {
  await review(await completedRun());
  const file = join(definitionsDir, 'by-hand.yml');
  expect(await promotion()).toMatchObject({
    ready: true,
    file,
    review: { verdict: 'approved', reviewer: 'ana' },
  });
  const { exitCode, out } = await promote();
  expect(exitCode).toBe(0);
  expect(out).not.toContain('✗');
  expect(out).toContain(`All that is left is one line in ${file}`);
  expect(out).toMatch(
    /\n {2}emit: live\n\nThen:\n {2}activity-core definitions plan\n {2}activity-core definitions apply$/,
  );
});

test('a rejection is told with its name', async () => {
  await review(await completedRun(), 'rejected');
  expect(await promotion()).toMatchObject({ ready: false, review: { verdict: 'rejected' } });
  expect((await promote()).out).toContain('✗ review: ana rejected run');
});

test('the audit run and the approval of the same content count although emit is another', async () => {
  const run_id = await completedRun();
  await review(run_id);
  await api.declare([definition({ emit: 'live' })]);
  expect(await promotion()).toMatchObject({
    ready: true,
    sink_mode: 'live',
    sink_reason: null,
    run: { run_id },
    change: null,
  });
  const { exitCode, out } = await promote();
  expect({ exitCode }).toEqual({ exitCode: 0 });
  expect(out).toContain('It is live already');
});

test('runs and approvals of other content do not count', async () => {
  await review(await completedRun());
  await api.declare([definition({ title: 'Another' })]);
  expect(await promotion()).toMatchObject({ ready: false, run: null, review: null });
});

test('a refused token is a step that fails, with what issue-core said, and is asked for once', async () => {
  await review(await completedRun());
  issueCore.fault = { request: 'GET /api/v1/tasks', status: 401, message: 'answered 401', answer: null };
  expect(await promotion()).toMatchObject({
    ready: false,
    checks: expect.arrayContaining([
      { name: 'issue_core', ok: false, message: 'GET /api/v1/tasks: answered 401' },
    ]),
    tasks: [{ open: null }, { open: null }],
  });
  expect(issueCore.asked).toHaveLength(1);
  const { exitCode, out } = await promote();
  expect(exitCode).toBe(1);
  expect(out).toContain('Next: set ISSUE_CORE_URL and ISSUE_CORE_TOKEN');
});

test('with ISSUE_SINK_TYPE null it says what to set', async () => {
  await review(await completedRun());
  sinkType = 'null';
  const { exitCode, out } = await promote();
  expect(exitCode).toBe(1);
  expect(out).toContain('5. ✗ sink: ISSUE_SINK_TYPE is null');
  expect(out).toContain('Next: set ISSUE_SINK_TYPE=issue-core of the service, and restart it');
});

test('without ISSUE_CORE_URL nobody is asked', async () => {
  await using alone = await createTestApi(inject('servers').database_url);
  await alone.declare([definition({ enabled: false })]);
  const { body } = await alone.get('/api/v1/definitions/by-hand/promotion');
  expect(body.checks).toMatchObject([
    { name: 'declared', ok: false, message: 'it is disabled' },
    {},
    {},
    { name: 'issue_core', ok: false, message: 'ISSUE_CORE_URL is not set' },
    { name: 'sink_type', ok: false },
  ]);
  expect(await alone.get('/api/v1/definitions/another/promotion')).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  });
});

test('only some of many keys are asked for', async () => {
  const many = Array.from({ length: 30 }, (_, n) => ({
    id: `rule-${n}`,
    condition: 'true',
    task: { title: `Task ${n}`, dedupe_key: `key:${n}` },
  }));
  await api.declare([definition({ rules: many })]);
  await completedRun();
  const { tasks } = await promotion();
  expect(issueCore.asked).toHaveLength(20);
  expect((tasks as { open: unknown }[]).filter(({ open }) => open === null)).toHaveLength(10);
});

test('an apply that leaves a definition with emit: live at audit says so in its answer and in the log', async () => {
  const logged: string[] = [];
  await using other = await createTestApi(inject('servers').database_url, {
    sinkMode: createSinkMode('issue-core'),
    definitionsDir,
    logger: pino({ level: 'warn' }, { write: (line) => void logged.push(line) }),
  });
  const file = join(definitionsDir, 'by-hand.yml');
  await writeFile(file, JSON.stringify(definition({ emit: 'live' })));
  const { body } = await other.post('/api/v1/plan/apply');
  await writeFile(file, JSON.stringify(definition()));
  const sink_reason = 'no approved audit run of this content';
  expect(body.changes).toMatchObject([
    { definition_id: 'by-hand', action: 'create', emit: 'live', sink_mode: 'audit', sink_reason },
  ]);
  expect(logged.map((line) => JSON.parse(line))).toMatchObject([
    { definition_id: 'by-hand', sink_reason, msg: 'a definition says emit: live and stays audit' },
  ]);
});
