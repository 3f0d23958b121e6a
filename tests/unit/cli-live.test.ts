/** What the commands about live tasks print, over an API that answers what a test wants. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { captureCli } from '../setup/captured-cli.ts';

let answer: unknown = {};
let asked: { call: string; body: unknown }[] = [];
let apiAddress = '';

const server = createServer(async (request, response) => {
  const body = request.method === 'POST' ? await json(request) : null;
  asked.push({ call: `${request.method} ${request.url}`, body });
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiAddress = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = [];
});

function cli(argv: string[], body: unknown) {
  answer = body;
  return captureCli(argv, { apiAddress });
}

const RUN_ID = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';
const task = {
  idempotency_key: 'k',
  run_id: RUN_ID,
  definition_id: 'nightly',
  rule_id: 'always',
  spec: { title: 'Do it', dedupe_key: 'nightly:do-it' },
  dedupe_key: 'nightly:do-it' as string | null,
  status: 'audited',
  task_ref: null,
  attempts: 2,
  last_error: null,
  created_at: '2026-11-20T01:30:00.5Z',
};
const change = {
  definition_id: 'nightly',
  action: 'update',
  fields: [{ path: 'emit', from: 'audit', to: 'live' }],
  next_fire_times: [],
  timezone: null,
  emit: 'live',
  sink_mode: 'audit',
  sink_reason: 'no approved audit run of this content' as string | null,
};

test('a plan says in one line what runs of a definition with emit: live will be', async () => {
  const plan = (changes: object[]) => ({ changes, event_types: [], errors: [] });
  const told = await cli(['definitions', 'plan'], plan([change]));
  expect(told.out.split('\n').slice(0, 3)).toEqual([
    'update  nightly',
    '  emit: "audit" → "live"',
    '  sink: audit, although emit: live: no approved audit run of this content',
  ]);
  const live = await cli(
    ['definitions', 'plan'],
    plan([{ ...change, sink_mode: 'live', sink_reason: null }]),
  );
  expect(live.out).toContain('\n  sink: live\n');
  const audit = await cli(['definitions', 'plan'], plan([{ ...change, emit: 'audit' }]));
  expect(audit.out).not.toContain('sink');
});

test('a plan shows what changes in an event type as it does for a definition', async () => {
  const path = 'attributes_schema.properties.summary.required[1]';
  const event_types = [
    { type: 'kaizen.metrics.recorded', action: 'update', fields: [{ path, from: null, to: 'runs' }] },
    { type: 'kaizen.new', action: 'create', fields: [] },
  ];
  const { exitCode, out } = await cli(['definitions', 'plan'], { changes: [], event_types, errors: [] });
  expect(exitCode).toBe(0);
  expect(out.split('\n').slice(0, 3)).toEqual([
    'update  event type kaizen.metrics.recorded',
    `  ${path}: (none) → "runs"`,
    'create  event type kaizen.new',
  ]);
});

test('an older service tells no fields of an event type, and its plan is shown', async () => {
  const event_types = [{ type: 'kaizen.new', action: 'create' }];
  const { exitCode, out, err } = await cli(['definitions', 'plan'], { changes: [], event_types, errors: [] });
  expect([exitCode, err]).toEqual([0, '']);
  expect(out).toContain('create  event type kaizen.new');
});

test('a plan that is refused tells its warnings below the errors', async () => {
  const place = { file: 'definitions/nightly.yaml', line: 9, column: 16, path: 'rules[0].condition' };
  const errors = [{ ...place, line: 3, message: 'it is \u001b[31mwrong' }];
  const warnings = [{ ...place, message: 'it may be missing', code: 'optional_field' }];
  const answer = { changes: [], event_types: [], errors, warnings };
  const { exitCode, out } = await cli(['definitions', 'plan'], answer);
  expect(exitCode).toBe(1);
  expect(out.trimEnd().split('\n').slice(1)).toEqual([
    '  definitions/nightly.yaml:3:16 rules[0].condition: it is wrong',
    '  definitions/nightly.yaml:9:16 rules[0].condition: warning: it may be missing (optional_field)',
  ]);
});

test('a plan tells the warnings before the changes', async () => {
  const place = { file: 'definitions/nightly.yaml', line: 9, column: 16, path: 'rules[0].condition' };
  const warnings = [{ ...place, message: 'it may be missing', code: 'optional_field' }];
  const answer = { changes: [change], event_types: [], errors: [], warnings };
  const { exitCode, out } = await cli(['definitions', 'plan'], answer);
  expect(exitCode).toBe(0);
  expect(out.split('\n').slice(0, 3)).toEqual([
    'definitions/nightly.yaml:9:16 rules[0].condition: warning: it may be missing (optional_field)',
    '',
    'update  nightly',
  ]);
});

test('a resume is previewed: the tasks, what stays pending and why, and how to do it', async () => {
  const skipped = [{ definition_id: 'other', count: 3, reason: 'it is no longer declared' }];
  const { exitCode, out } = await cli(['tasks', 'resume', '--all'], { count: 2, items: [task], skipped });
  expect(exitCode).toBe(0);
  expect(asked).toEqual([{ call: 'POST /api/v1/tasks/resume', body: { dry_run: true } }]);
  expect(out.split('\n')).toEqual([
    '3 tasks of other stay pending: it is no longer declared',
    'CREATED               TITLE  ATTEMPTS  DEFINITION  RUN',
    `2026-11-20 01:30:00Z  Do it         2  nightly     ${RUN_ID}`,
    'and 1 older ones',
    '2 pending tasks would be sent. Nothing was changed; to do it: activity-core tasks resume --all --yes',
  ]);
});

test('with --yes it is done, and says where to look', async () => {
  const argv = ['tasks', 'discard', '--run', RUN_ID, '--definition', 'nightly', '--yes'];
  const { out } = await cli(argv, { count: 1, items: [task] });
  expect(asked[0]?.body).toEqual({ run_id: RUN_ID, definition_id: 'nightly', dry_run: false });
  expect(out.split('\n')).toEqual([
    '1 pending task discarded; they stay on record and are never sent.',
    `To see them: activity-core tasks list --status discarded --run ${RUN_ID} --definition nightly`,
  ]);
});

test('a promotion is a walk with numbered steps and one thing to do next', async () => {
  const { exitCode, out } = await cli(['promote', 'nightly'], {
    definition_id: 'nightly',
    file: 'definitions/nightly.yaml',
    emit: 'audit',
    sink_mode: 'audit',
    sink_reason: 'the definition says emit: audit',
    ready: false,
    checks: [
      { name: 'declared', ok: true, message: 'it is declared and enabled' },
      { name: 'audit_run', ok: true, message: `run ${RUN_ID} made 2 specs` },
      { name: 'review', ok: true, message: 'ana approved it' },
      { name: 'issue_core', ok: false, message: 'GET /api/v1/tasks: no answer within 10 s' },
      { name: 'sink_type', ok: false, message: 'ISSUE_SINK_TYPE is null' },
    ],
    run: null,
    tasks: [
      { ...task, open: [{ ref: 'I-1' }, { ref: 'I-2' }] },
      { ...task, spec: { title: 'Another' }, dedupe_key: null, open: null },
    ],
    change: { path: 'emit', from: 'audit', to: 'live' },
  });
  expect(exitCode).toBe(1);
  expect(asked[0]?.call).toBe('GET /api/v1/definitions/nightly/promotion');
  expect(out.split('\n')).toEqual([
    'nightly is audit: the definition says emit: audit',
    '',
    '1. ✓ definition: it is declared and enabled',
    `2. ✓ audit run: run ${RUN_ID} made 2 specs`,
    '     audited: Do it',
    '       dedupe key nightly:do-it',
    '       issue-core: open under this key: I-1, I-2',
    '     audited: Another',
    '       issue-core: no dedupe key, so each run makes a new task',
    '3. ✓ review: ana approved it',
    '4. ✗ issue-core: GET /api/v1/tasks: no answer within 10 s',
    '5. ✗ sink: ISSUE_SINK_TYPE is null',
    '',
    'Next: set ISSUE_CORE_URL and ISSUE_CORE_TOKEN of the service so that issue-core answers, and restart it',
  ]);
});

test('a rejection says that the definition stays audit', async () => {
  const { out } = await cli(
    ['review', RUN_ID, '--verdict', 'rejected', '--reviewer', 'ana', '--note', 'no'],
    {
      run_id: RUN_ID,
      definition_id: 'nightly',
      verdict: 'rejected',
      reviewer: 'ana',
      note: 'no',
      reviewed_at: '2026-11-20T01:30:00.5Z',
      is_current_content: true,
    },
  );
  expect(asked).toEqual([
    {
      call: `POST /api/v1/runs/${RUN_ID}/review`,
      body: { verdict: 'rejected', reviewer: 'ana', note: 'no' },
    },
  ]);
  expect(out).toContain('What is applied now is not approved: nightly stays audit');
});
