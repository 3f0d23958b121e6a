/** Recorded histories run through today's workflow code: a change that breaks running workflows fails here. */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';

const histories = globSync('tests/histories/*.json');
let workflowBundle: WorkflowBundle;

beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const logger = new DefaultLogger('WARN');
  Runtime.install({ logger });
  workflowBundle = await bundleWorkflowCode({ workflowsPath, logger });
});

test('there are histories of each workflow and of each way that it ends', () => {
  expect(histories.map((file) => basename(file)).sort()).toEqual([
    'activity-run-completed.json',
    'activity-run-emit.json',
    'activity-run-model.json',
    'activity-run-prepare-gave-up.json',
    'activity-run-remote.json',
    'activity-run-scheduled.json',
    'activity-run-tick.json',
    'collect-evidence.json',
    'emit-tasks-report.json',
    'emit-tasks.json',
    'task-executor-refused.json',
  ]);
});

test.each(histories)('%s replays without a difference', async (file) => {
  const history = JSON.parse(readFileSync(file, 'utf8'));
  await Worker.runReplayHistory({ workflowBundle }, history);
});

test('a history of other code does not replay', async () => {
  const history = JSON.parse(readFileSync('tests/histories/activity-run-completed.json', 'utf8'));
  const marker = history.events.find(
    (event: { eventType: string }) => event.eventType === 'EVENT_TYPE_MARKER_RECORDED',
  );
  marker.eventType = 'EVENT_TYPE_TIMER_STARTED';
  marker.timerStartedEventAttributes = {
    timerId: '1',
    startToFireTimeout: '1s',
    workflowTaskCompletedEventId: '4',
  };
  delete marker.markerRecordedEventAttributes;
  await expect(Worker.runReplayHistory({ workflowBundle }, history)).rejects.toThrow();
});

test('histories hold ids and codes, and nothing of an event', () => {
  for (const file of histories) {
    const payloads = [...readFileSync(file, 'utf8').matchAll(/"data": "([^"]+)"/g)].map(([, data = '']) =>
      Buffer.from(data, 'base64').toString(),
    );
    for (const payload of payloads) expect(payload, file).not.toMatch(/coach|kaizen|success_rate/);
  }
});
