import { describe, expect, test } from 'vitest';
import { createStateHubClient, type StateHubClient, StateHubError } from '../../src/clients/state-hub.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import type { FileReport } from '../../src/reports/report-sink.ts';
import { createStateHubProgress } from '../../src/reports/state-hub-progress.ts';
import { reportedRun } from './reported-run.ts';

const run = reportedRun();
const { run_id, definition_id, definition_hash, scheduled_for, workflow_id, review_required } = run;
const identity = { run_id, definition_id, definition_hash, scheduled_for, workflow_id, review_required };

async function hubWithSink() {
  const standIn = await startStateHubStandIn({ engagements: {} });
  const sink = createStateHubProgress({
    stateHub: createStateHubClient({ url: standIn.url, token: undefined, timeoutMs: 60_000 }),
  });
  const file = (report: JsonObject, more: Partial<FileReport> = {}) =>
    sink.file({
      run,
      position: 0,
      report: { event_type: 'daily_triage', summary: 'Done', ...report },
      ...more,
    });
  return { standIn, file, [Symbol.asyncDispose]: () => standIn.close() };
}

test('a run is told with what identifies it and what its author adds', async () => {
  await using hub = await hubWithSink();
  const filed = await hub.file({
    sink: 'state-hub-progress',
    summary: 'Thirty tasks',
    detail: { top: [{ id: 'T-1' }], n: 3, no: null },
  });
  expect(hub.standIn.progress()).toEqual([
    {
      id: filed.progress_id,
      created_at: expect.any(String),
      event_type: 'daily_triage',
      summary: 'Thirty tasks',
      detail: { ...identity, top: [{ id: 'T-1' }], n: 3, no: null },
      author: 'activity-core',
      idempotency_key: `activity-core:report:${run_id}:0`,
    },
  ]);
});

test('filed again it is the same progress; another report of the run and another run are others', async () => {
  await using hub = await hubWithSink();
  const first = await hub.file({});
  expect(await hub.file({})).toEqual(first);
  expect(await hub.file({}, { position: 1 })).not.toEqual(first);
  expect(await hub.file({}, { run: reportedRun({ run_id: 'another' }) })).not.toEqual(first);
  expect(hub.standIn.progress()).toHaveLength(3);
});

test('what the author adds cannot pass for what identifies the run', async () => {
  await using hub = await hubWithSink();
  await hub.file({ detail: { run_id: 'another', review_required: false } });
  expect(hub.standIn.progress()[0]?.detail).toEqual(identity);
});

describe('the summary', () => {
  async function summaryOf(summary: string): Promise<string | undefined> {
    await using hub = await hubWithSink();
    await hub.file({ summary });
    return hub.standIn.progress()[0]?.summary;
  }

  test('is one line of text that can be stored', async () => {
    expect(await summaryOf('  a\r\n\tb\u2028c\u0007\u0085d \u0000 \ud800 ')).toBe('a b c d \ufffd \ufffd');
  });

  test('has at most 2,000 characters, a cut one with its mark', async () => {
    expect(await summaryOf('x'.repeat(2000))).toBe('x'.repeat(2000));
    const cut = await summaryOf('😀'.repeat(1001));
    expect(cut).toMatch(/^(😀)+… \[truncated\]$/u);
    expect(cut?.length).toBeGreaterThan(1990);
    expect(cut?.length).toBeLessThanOrEqual(2000);
  });

  test('is the definition’s title where nothing was rendered', async () => {
    expect(await summaryOf(' \n ')).toBe(run.title);
  });
});

test('details beyond 256 KiB are left out, and it says so; what identifies the run stays', async () => {
  await using hub = await hubWithSink();
  await hub.file({ detail: { large: 'é'.repeat(128 * 1024), small: 1 } });
  const left = '(left out: the details of this report are larger than 256 KiB)';
  await hub.file({ detail: { large: 'é'.repeat(127 * 1024), small: 1 } }, { position: 1 });
  const [first, second] = hub.standIn.progress();
  expect(first?.detail).toEqual({ ...identity, large: left, small: left });
  expect(second?.detail).toMatchObject({ ...identity, small: 1 });
});

test('without State Hub it fails for good and says what to set', async () => {
  const sink = createStateHubProgress({});
  const report = { event_type: 'x', summary: 's' };
  await expect(sink.file({ run, position: 0, report })).rejects.toMatchObject({
    name: 'ReportError',
    retryable: false,
    message: 'state-hub-progress needs State Hub; set STATE_HUB_URL, then retry the run',
  });
});

test.each([true, false])('whatever State Hub says (retryable: %s), it is asked again', async (retryable) => {
  await using hub = await hubWithSink();
  const client = createStateHubClient({ url: hub.standIn.url, token: undefined, timeoutMs: 60_000 });
  const fault = new StateHubError('State Hub, POST /progress: no', { status: 401, retryable });
  const stateHub: StateHubClient = { ...client, postProgress: () => Promise.reject(fault) };
  const filing = createStateHubProgress({ stateHub }).file({
    run,
    position: 0,
    report: { event_type: 'x', summary: 's' },
  });
  await expect(filing).rejects.toMatchObject({
    name: 'ReportError',
    retryable: true,
    message: 'State Hub, POST /progress: no',
    cause: fault,
  });
});

test('State Hub in trouble takes nothing, and the report is filed once when it is back', async () => {
  await using hub = await hubWithSink();
  hub.standIn.setFaults({ faults: ['http_500'] });
  await expect(hub.file({})).rejects.toMatchObject({ name: 'ReportError', retryable: true });
  hub.standIn.setFaults({ faults: [] });
  const filed = await hub.file({});
  expect(hub.standIn.progress().map(({ id }) => id)).toEqual([filed.progress_id]);
});
