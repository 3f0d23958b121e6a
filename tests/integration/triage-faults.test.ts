import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { post } from '../setup/schedule-path.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import {
  createTriagePath,
  ended,
  readRun,
  readTrust,
  runByHand,
  type TriagePath,
  triage,
  triagesOf,
} from '../setup/triage-path.ts';
import { until } from '../setup/until.ts';

const ID = 'triage-by-hand';
const WITH_TASKS = 'triage-with-tasks';
const TASKS = `
    tasks:
      - for_each: output.top_items
        task: { title: "Look at {{ item.title }}", dedupe_key: "triage:{{ item.task_id }}" }
`;
let hub: TriagePath;
let service: ServiceProcess;

beforeAll(async () => {
  hub = await createTriagePath(inject('servers'), {
    [ID]: triage(ID, '{ manual: {} }'),
    [WITH_TASKS]: triage(WITH_TASKS, '{ manual: {} }', TASKS),
  });
  service = await hub.serve();
  await post(service.url, '/plan/apply');
});

beforeEach(() => {
  hub.stateHub.setFaults({ faults: [] });
  hub.llmConnect.setFaults({ faults: [] });
});

afterAll(async () => {
  await service?.stop();
  await hub?.[Symbol.asyncDispose]();
});

const progressOf = (runId: string) => triagesOf(hub, runId);
const noteOf = async (runId: string): Promise<string[]> => {
  const notes = await hub.notes();
  const texts = await Promise.all(notes.map((name) => readFile(join(hub.notesDir, name), 'utf8')));
  return notes.filter((_name, index) => texts[index]?.includes(runId));
};

test('an answer becomes tasks, which are marked for review', async () => {
  const run = await ended(service.url, await runByHand(service.url, WITH_TASKS));
  expect(run).toMatchObject({ status: 'completed', review_required: true });
  const { output } = run.instructions[0] ?? {};
  const { top_items } = output as { top_items: { task_id: string }[] };
  expect(top_items.length).toBeGreaterThan(0);
  expect(run.tasks).toHaveLength(top_items.length);
  for (const task of run.tasks)
    expect(task).toMatchObject({ rule_id: 'triage', status: 'audited', review_required: true });
  // Where slow models keep nothing else waiting.
  const { events } = await hub.path.client.workflow.getHandle(run.run_id).fetchHistory();
  const queues = events?.flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled ? [scheduled.taskQueue?.name] : [],
  );
  expect(queues).toEqual([`${hub.path.taskQueue}-model`]);
});

test('answers outside the schema, twice: the run fails with both kept, makes no task and files no report', async () => {
  hub.llmConnect.setFaults({ faults: ['schema_breaking'] });
  const asked = hub.llmConnect.requests().length;
  const run = await ended(service.url, await runByHand(service.url, WITH_TASKS));
  expect(run).toMatchObject({
    status: 'failed',
    error: { code: 'instruction_invalid' },
    tasks: [],
    reports: [],
  });
  expect(hub.llmConnect.requests().length - asked).toBe(2);
  const [instruction] = run.instructions;
  expect(instruction).toMatchObject({ status: 'invalid', output: null });
  expect(instruction?.answers).toHaveLength(2);
  for (const { answer, accepted, violations } of instruction?.answers ?? []) {
    expect(answer).not.toBeNull();
    expect(accepted).toBe(false);
    expect(violations.length).toBeGreaterThan(0);
  }
  expect(progressOf(run.run_id)).toEqual([]);
  expect(await noteOf(run.run_id)).toEqual([]);

  hub.llmConnect.setFaults({ faults: [] });
  const { run_id } = (await post(service.url, `/runs/${run.run_id}/retry`)) as { run_id: string };
  expect(await ended(service.url, run_id)).toMatchObject({ status: 'completed' });
  expect(progressOf(run_id)).toHaveLength(1);
  expect(await noteOf(run_id)).toHaveLength(1);
});

test('one answer outside the schema is asked again with what is wrong with it', async () => {
  hub.llmConnect.setFaults({ faults: ['schema_breaking_once'] });
  const run = await ended(service.url, await runByHand(service.url, ID));
  expect(run.status).toBe('completed');
  expect(run.instructions[0]?.answers.map(({ accepted }) => accepted)).toEqual([false, true]);
  const asked = JSON.parse(hub.llmConnect.requests().at(-1)?.body ?? '{}');
  expect(asked.messages.at(-1).content).toContain('violations');
});

test('data that orders the model about changes no path, is never evaluated, and is cut with a mark', async () => {
  hub.stateHub.setFaults({ faults: ['prompt_injected'] });
  const before = await hub.notes();
  const run = await ended(service.url, await runByHand(service.url, WITH_TASKS));
  expect(run.status).toBe('completed');
  expect(JSON.stringify(run.context)).toContain('… [truncated]');
  expect(JSON.stringify(run.context).length).toBeLessThan(512 * 1024);
  const prompt = hub.llmConnect.requests().at(-1)?.body ?? '';
  expect(prompt.length).toBeLessThan(512 * 1024);
  expect(prompt).toContain('BEGIN DATA');
  const added = (await hub.notes()).filter((name) => !before.includes(name));
  expect(added).toHaveLength(1);
  expect(added[0]).toMatch(/^daily-triage-\d{4}-\d\d-\d\d(-\d+)?\.md$/);
});

test('a service that is killed while the model works asks it again, and files each report once', async () => {
  hub.llmConnect.setFaults({ faults: ['slow'], slow_ms: 240_000 });
  const asked = hub.llmConnect.requests().length;
  const run_id = await runByHand(service.url, ID);
  await until('the model is asked', async () => hub.llmConnect.requests().length > asked);
  await service.kill();
  hub.llmConnect.setFaults({ faults: [] });
  service = await hub.serve();
  expect(await ended(service.url, run_id)).toMatchObject({ status: 'completed' });
  expect(hub.llmConnect.requests().length - asked).toBe(2);
  expect(await hub.path.count('instruction_calls', `run_id = '${run_id}' AND counts`)).toBe(2);
  expect(progressOf(run_id)).toHaveLength(1);
  expect(await noteOf(run_id)).toHaveLength(1);
  expect(await hub.path.count('pinned_contexts')).toBe(0);
});

test('a report that cannot be filed is tried alone; for good, it fails the run after the rest is done; a retry does not ask the model', async () => {
  const blocked = join(hub.notesDir, 'blocked');
  await writeFile(blocked, 'a file where a folder should be');
  await service.stop();
  service = await hub.serve({ environment: { WORKING_MEMORY_DIR: blocked } });
  const run = await ended(service.url, await runByHand(service.url, ID));
  expect(run).toMatchObject({ status: 'failed', error: { code: 'report_failed' } });
  expect(run.error?.message).toContain('WORKING_MEMORY_DIR');
  expect(run.reports).toMatchObject([
    { sink: 'state-hub-progress', status: 'filed' },
    { sink: 'working-memory', status: 'failed' },
  ]);
  expect(progressOf(run.run_id)).toHaveLength(1);

  await service.stop();
  await rm(blocked);
  service = await hub.serve();
  const asked = hub.llmConnect.requests().length;
  // State Hub says something else by now: the answer is used for what it was given for.
  hub.stateHub.setFaults({ faults: ['prompt_injected'] });
  const dry = await post(service.url, `/runs/${run.run_id}/retry`, { dry_run: true });
  expect(dry).toMatchObject({ instructions: [{ status: 'answered', reused: true }], errors: [] });
  expect((dry as { reports: object[] }).reports).toHaveLength(2);
  const { run_id } = (await post(service.url, `/runs/${run.run_id}/retry`)) as { run_id: string };
  const retried = await ended(service.url, run_id);
  expect(retried).toMatchObject({ status: 'completed', instructions: [{ reused: true }] });
  expect(retried.context).toEqual(run.context);
  expect(retried.instructions[0]).toMatchObject({ prompt_hash: run.instructions[0]?.prompt_hash });
  expect(hub.llmConnect.requests().length).toBe(asked);
  expect(await noteOf(run_id)).toHaveLength(1);
});

test('a dry run asks nobody, and with `model` it does, and either way nothing is written', async () => {
  const asked = hub.llmConnect.requests().length;
  const notes = await hub.notes();
  const filed = hub.stateHub.progress().length;
  const dry = await post(service.url, `/definitions/${WITH_TASKS}/runs`, { dry_run: true });
  expect(dry).toMatchObject({ instructions: [], tasks: [], errors: [] });
  expect(hub.llmConnect.requests().length).toBe(asked);
  const asking = await post(service.url, `/definitions/${WITH_TASKS}/runs`, { dry_run: true, model: true });
  expect(asking).toMatchObject({ instructions: [{ status: 'answered' }], errors: [] });
  expect((asking as { tasks: object[] }).tasks.length).toBeGreaterThan(0);
  expect((asking as { reports: object[] }).reports).toHaveLength(2);
  expect(hub.llmConnect.requests().length).toBe(asked + 1);
  expect(await hub.notes()).toEqual(notes);
  expect(hub.stateHub.progress().length).toBe(filed);
});

test('a State Hub that is down for a whole tick fails its run with the reason, and the tick is dirty and not missed', async () => {
  hub.stateHub.setFaults({ faults: ['http_500'] });
  const id = 'triage-without-hub';
  await hub.path.declare(id, triage(id, '{ schedule: { every: 4s } }'));
  await post(service.url, '/plan/apply');
  const tick = await until(
    'the tick is dirty',
    async () => (await readTrust(service.url, id, 100)).ticks.find(({ state }) => state === 'dirty'),
    { boundMs: 280_000 },
  );
  await post(service.url, `/definitions/${id}/pause`, { reason: 'seen enough' });
  expect(tick.evidence.activity_run.detail).toContain('resolver_failed');
  const run = await readRun(service.url, tick.run_id ?? '');
  expect(run).toMatchObject({ status: 'failed', error: { code: 'resolver_failed' } });
  expect(run.error?.message).toContain('State Hub');
});
