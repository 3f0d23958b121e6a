/** How `runs show` and `dry-run` tell of instructions and reports, over an API that answers what a test wants. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureCli } from '../setup/captured-cli.ts';

let answer: unknown = {};
let sent: unknown = null;
let apiAddress = '';

const server = createServer(async (request, response) => {
  sent = request.method === 'POST' ? await json(request) : null;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiAddress = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const accepted = {
  answer: '{"headline": "Renew it", "items": []}',
  accepted: true,
  violations: [],
  fault: null,
  model: 'a-model',
  usage: { prompt_tokens: 900, completion_tokens: 40 },
  latency_ms: 2100,
};
const refused = {
  ...accepted,
  answer: '{"headline": 17}',
  accepted: false,
  violations: [{ pointer: '/headline', message: 'must be string' }],
};
const answered = {
  instruction_id: 'triage',
  status: 'answered',
  reused: false,
  // As the database orders the members.
  output: { items: [], headline: 'Renew it' },
  answers: [refused, accepted],
};
const filed = {
  sink: 'working-memory',
  report: { name: 'daily-triage-2026-11-20' },
  status: 'filed',
  error: null,
  filed: { file: 'daily-triage-2026-11-20.md', sha256: 'abc' },
};
const run = {
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  definition_id: 'triage',
  definition_hash: '6f0c4a5a3c5b',
  trigger: { kind: 'schedule', scheduled_for: '2026-11-20T06:00:00Z' },
  status: 'completed',
  task_count: 0,
  sink_mode: 'audit',
  sink_reason: null,
  retry_of: null,
  temporal: null,
  started_at: '2026-11-20T06:00:01Z',
  finished_at: '2026-11-20T06:00:05Z',
  error: null,
  context: {},
  rules: [],
  tasks: [],
};

test('a run shows each answer with its cost, what was wrong with it, and the output as the model said it', async () => {
  answer = { ...run, instructions: [answered], reports: [filed] };
  const { out, exitCode } = await captureCli(['runs', 'show', run.run_id], { apiAddress });
  expect(exitCode).toBe(0);
  expect(out).toContain('triage answered');
  expect(out).toContain('accepted (a-model, 900 + 40 tokens, 2.1 s)');
  expect(out).toContain('/headline must be string');
  expect(out.indexOf('"headline"')).toBeLessThan(out.indexOf('"items"'));
  expect(out).toContain('working-memory filed');
  expect(out).toContain('daily-triage-2026-11-20.md');
});

test('of two accepted answers the one that was used is shown', async () => {
  const other = { ...accepted, answer: '{"headline": "Not used", "items": []}' };
  answer = { ...run, instructions: [{ ...answered, answers: [other, accepted] }], reports: [] };
  const { out } = await captureCli(['runs', 'show', run.run_id], { apiAddress });
  expect(out).toContain('Renew it');
  expect(out).not.toContain('Not used');
});

test('a report that waits or failed says why', async () => {
  const waiting = { ...filed, status: 'pending', filed: null, error: 'State Hub answered 503' };
  const lost = { ...waiting, status: 'failed', error: 'set WORKING_MEMORY_DIR' };
  answer = { ...run, status: 'failed', instructions: [], reports: [waiting, lost] };
  const { out } = await captureCli(['runs', 'show', run.run_id], { apiAddress });
  expect(out).toContain('working-memory pending: State Hub answered 503');
  expect(out).toContain('working-memory failed: set WORKING_MEMORY_DIR');
});

test('a dry run asks the model only with --model, and shows what would be filed', async () => {
  const { sink, report } = filed;
  answer = {
    context: {},
    rules: [],
    tasks: [],
    instructions: [{ ...answered, reused: true }],
    reports: [{ sink, report, error: null }],
    errors: [],
  };
  await captureCli(['dry-run', 'triage'], { apiAddress });
  expect(sent).toEqual({ dry_run: true });
  const { out } = await captureCli(['dry-run', 'triage', '--model'], { apiAddress });
  expect(sent).toEqual({ dry_run: true, model: true });
  expect(out).toContain('with the answer from before');
  expect(out).toContain('working-memory would be filed');
});
