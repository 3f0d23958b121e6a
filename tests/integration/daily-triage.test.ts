import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { get, listRuns, post } from '../setup/schedule-path.ts';
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
  trustByCli,
} from '../setup/triage-path.ts';
import { until } from '../setup/until.ts';

const ID = 'short-triage';
let hub: TriagePath;
let service: ServiceProcess;

beforeAll(async () => {
  hub = await createTriagePath(inject('servers'), { [ID]: triage(ID, '{ schedule: { every: 2s } }') });
  service = await hub.serve();
  await post(service.url, '/plan/apply');
});

afterAll(async () => {
  await service?.stop();
  await hub?.[Symbol.asyncDispose]();
});

/** Only the API is up from here on: no tick comes to the ones that are looked at. */
async function keepOnlyTheApi(): Promise<void> {
  await service.stop();
  service = await hub.serve({ roles: 'api' });
}

test('three scheduled runs in a row and feedback make it trusted, and runs by hand change nothing', async () => {
  const before = await until('three ticks in a row are clean', async () => {
    const trust = await readTrust(service.url, ID);
    return trust.clean_streak >= 3 ? trust : null;
  });
  expect(before).toMatchObject({ definition_id: ID, required: 3, trusted: false, feedback: null });
  expect(before.reason).toContain('feedback');
  const byHand = await ended(service.url, await runByHand(service.url, ID));
  expect(byHand).toMatchObject({ status: 'completed', review_required: true });
  await keepOnlyTheApi();
  const [newest] = (await readTrust(service.url, ID)).ticks.filter(({ state }) => state === 'clean');
  expect((await readTrust(service.url, ID)).trusted).toBe(false);
  await post(service.url, `/runs/${newest?.run_id}/feedback`, { verdict: 'useful', note: 'the right five' });
  const trust = await readTrust(service.url, ID);
  expect(trust).toMatchObject({ trusted: true, feedback: { run_id: newest?.run_id, verdict: 'useful' } });
  expect(trust.ticks.map(({ run_id }) => run_id)).not.toContain(byHand.run_id);
  for (const tick of trust.ticks.filter(({ state }) => state === 'clean')) {
    expect(Object.values(tick.evidence).map(({ ok }) => ok)).toEqual([true, true, true, true]);
  }
  const told = await trustByCli(service.url, ID);
  expect(told.output).toContain('is trusted');
  expect(told.code).toBe(0);
});

test('each tick left one progress entry and one note, both with what identifies its run', async () => {
  const runs = await listRuns(service.url, `definition_id=${ID}&trigger=schedule&status=completed&limit=500`);
  for (const { run_id } of runs) {
    const entries = triagesOf(hub, run_id);
    expect(entries).toHaveLength(1);
    const run = await readRun(service.url, run_id);
    expect(entries[0]).toMatchObject({
      event_type: 'daily_triage',
      author: 'activity-core',
      detail: { definition_id: ID, review_required: true, triage: run.instructions[0]?.output },
    });
    const filed = run.reports.find(({ sink }) => sink === 'working-memory')?.filed as { file: string };
    const note = await readFile(join(hub.notesDir, filed.file), 'utf8');
    for (const named of [
      'run_id',
      'definition_id',
      'definition_hash',
      'scheduled_for',
      'workflow_id',
      'review_required',
    ])
      expect(note).toContain(`${named}: `);
    expect(note).toContain(run_id);
  }
  expect(new Set(await hub.notes()).size).toBe((await hub.notes()).length);
});

test('a note that is edited or gone, or a progress entry that is removed, is named, and mended it is trusted again', async () => {
  const [tick] = (await readTrust(service.url, ID)).ticks.filter(({ state }) => state === 'clean');
  const run = await readRun(service.url, tick?.run_id ?? '');
  const filed = run.reports.find(({ sink }) => sink === 'working-memory')?.filed as { file: string };
  const file = join(hub.notesDir, filed.file);
  const text = await readFile(file, 'utf8');

  async function expectDirty(evidence: string): Promise<void> {
    const trust = await readTrust(service.url, ID);
    expect(trust).toMatchObject({ trusted: false, clean_streak: 0 });
    expect(trust.reason).toContain(evidence);
    expect(trust.ticks.find(({ run_id }) => run_id === tick?.run_id)).toMatchObject({ state: 'dirty' });
    const told = await trustByCli(service.url, ID);
    expect(told.code).toBe(1);
    expect(told.output).toContain(tick?.scheduled_for.slice(0, 10) ?? '?');
  }

  await writeFile(file, `${text}\nAnd something that nobody generated.\n`);
  await expectDirty('working_memory_note');
  await rm(file);
  await expectDirty('working_memory_note');
  await writeFile(file, text);
  expect((await readTrust(service.url, ID)).trusted).toBe(true);

  const [entry] = triagesOf(hub, tick?.run_id);
  hub.stateHub.removeProgress(entry?.id ?? '');
  await expectDirty('state_hub_progress');
});

test('evidence outlives the history in Temporal and the run in PostgreSQL', async () => {
  const { ticks } = await readTrust(service.url, ID);
  const older = ticks.filter(({ state }) => state === 'clean').at(-1);
  const { temporal } = await get<{ temporal: { workflow_id: string; run_id: string } }>(
    service.url,
    `/runs/${older?.run_id}`,
  );
  const execution = { workflowId: temporal.workflow_id, runId: temporal.run_id };
  await hub.path.client.workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: execution,
  });
  await hub.path.pool.query('DELETE FROM activity_runs WHERE run_id = $1', [older?.run_id]);
  const after = (await readTrust(service.url, ID)).ticks.find(
    ({ scheduled_for }) => scheduled_for === older?.scheduled_for,
  );
  expect(after).toMatchObject({ state: 'clean', evidence: older?.evidence });
});

test('a tick that did not run makes it untrusted, and says when and why', async () => {
  await service.stop();
  service = await hub.serve();
  await post(service.url, `/definitions/${ID}/pause`, { reason: 'maintenance' });
  const trust = await until('a tick is missed', async () => {
    const now = await readTrust(service.url, ID);
    return now.ticks.find(({ state }) => state !== 'pending')?.reason?.includes('maintenance') ? now : null;
  });
  expect(trust).toMatchObject({ trusted: false, clean_streak: 0 });
  expect(trust.ticks.find(({ state }) => state === 'missed')).toBeDefined();
  expect(trust.reason).toContain('missed');
});
