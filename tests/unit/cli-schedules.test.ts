/** What the commands about schedules print, over an API that answers what a test wants. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { zonedTime } from '../../src/cli/time.ts';
import { captureCli } from '../setup/captured-cli.ts';

interface Asked {
  call: string;
  body: unknown;
  headers: IncomingHttpHeaders;
}

let answers: { status: number; body: unknown }[] = [];
let asked: Asked[] = [];
let apiAddress = '';

const server = createServer(async (request, response) => {
  const { method, url, headers } = request;
  const body = method === 'POST' ? await json(request) : null;
  asked.push({ call: `${method} ${url}`, body, headers });
  const answer = answers.shift() ?? { status: 500, body: { code: 'internal' } };
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer.body));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiAddress = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = [];
});

const now = new Date('2026-11-20T12:00:00Z');

function cli(argv: string[], ...bodies: unknown[]) {
  answers = bodies.map((body) => ({ status: 200, body }));
  return captureCli(argv, { apiAddress, now });
}

const definition = {
  definition_id: 'nightly',
  title: 'Every night',
  owner: 'kaizen',
  enabled: true,
  paused: false,
  pause_reason: null as string | null,
  definition_hash: 'f'.repeat(64),
  problem: null,
  trigger: { schedule: { cron: '30 2 * * *', timezone: 'Europe/Berlin', overlap: 'skip' } } as object,
  emit: 'audit',
  sink_mode: 'audit',
  sink_reason: 'the definition says emit: audit',
  last_run: {
    run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
    status: 'completed',
    started_at: '2026-11-20T01:30:00.25Z',
  },
  next_run: '2026-11-21T01:30:00Z' as string | null,
  schedule: {
    cron: '30 2 * * *',
    every: null,
    timezone: 'Europe/Berlin',
    overlap: 'skip',
    catchup_window: '1h',
    jitter: '0s',
  } as object | null,
  document: {
    context_sources: [{ type: 'static', bind_to: 'context.facts' }],
    rules: [{ id: 'always', condition: 'true', task: { title: 'Do it' } }],
    on_duplicate: 'skip',
    limits: { max_tasks_per_run: 50 },
  },
};

describe('definitions list', () => {
  test('shows trigger, state, last and next run', async () => {
    const off = {
      ...definition,
      definition_id: 'off',
      enabled: false,
      last_run: null,
      next_run: null,
      trigger: { schedule: { every: '2s', timezone: 'UTC' } },
    };
    const review = {
      ...definition,
      definition_id: 'review',
      paused: true,
      next_run: null,
      trigger: { event: { type: 'kaizen.metrics.recorded' } },
    };
    const manual = { ...off, definition_id: 'by-hand', enabled: true, trigger: { manual: {} } };
    const page = { items: [definition, off, review, manual], next_cursor: null };
    const { exitCode, out } = await cli(['definitions', 'list', '--limit', '4'], page);
    expect(exitCode).toBe(0);
    expect(asked[0]?.call).toBe('GET /api/v1/definitions?limit=4');
    expect(out.split('\n')).toEqual([
      'DEFINITION  TRIGGER                        STATE     LAST RUN                        NEXT RUN',
      'nightly     cron 30 2 * * * Europe/Berlin  enabled   2026-11-20 01:30:00Z completed  2026-11-21 01:30:00Z',
      'off         every 2s                       disabled',
      'review      event kaizen.metrics.recorded  paused    2026-11-20 01:30:00Z completed',
      'by-hand     manual                         enabled',
    ]);
    const inJson = await cli(['definitions', 'list', '--json'], page);
    expect(JSON.parse(inJson.out)).toEqual(page);
  });
});

describe('definitions show', () => {
  test('shows the policy in force, and the next run in UTC and in its zone', async () => {
    const { exitCode, out } = await cli(['definitions', 'show', 'nightly'], definition);
    expect(exitCode).toBe(0);
    expect(out.split('\n')).toEqual([
      'definition nightly enabled',
      '  title         Every night',
      '  owner         kaizen',
      '  revision      ffffffffffff',
      '  trigger       cron 30 2 * * * Europe/Berlin',
      '  last run      completed 2026-11-20 01:30:00Z, run 8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
      '  next run      2026-11-21 01:30:00Z (2026-11-21 02:30:00+01:00 Europe/Berlin)',
      '  emit          audit',
      '  sink          audit: the definition says emit: audit',
      '  on duplicate  skip',
      '  tasks a run   at most 50',
      '',
      'Schedule',
      '  cron            30 2 * * *',
      '  timezone        Europe/Berlin',
      '  overlap         skip',
      '  catchup_window  1h',
      '  jitter          0s',
      '',
      'What it reads',
      '  context.facts from static',
      '',
      'Rules',
      '  always: true',
      '    task: Do it',
    ]);
  });

  test('tells why it is paused', async () => {
    const paused = { ...definition, paused: true, pause_reason: 'too many tasks', next_run: null };
    const { out } = await cli(['definitions', 'show', 'nightly'], paused);
    expect(out).toContain('definition nightly paused\n');
    expect(out).toContain('  pause reason  too many tasks\n');
    expect(out).toContain('  next run      none\n');
  });

  test('in JSON is the API’s answer', async () => {
    const { out } = await cli(['definitions', 'show', 'nightly', '--json'], definition);
    expect(JSON.parse(out)).toEqual(definition);
  });
});

describe('ticks', () => {
  test('asks with its filters, and shows each outcome with run or reason', async () => {
    const items = [
      {
        definition_id: 'nightly',
        scheduled_for: '2026-11-20T01:30:00Z',
        outcome: 'fired',
        reason: null,
        run_id: definition.last_run.run_id,
      },
      {
        definition_id: 'nightly',
        scheduled_for: '2026-11-19T01:30:00Z',
        outcome: 'paused',
        reason: 'too many tasks',
        run_id: null,
      },
    ];
    const argv = ['ticks', '--definition', 'nightly', '--outcome', 'fired', '--since', '2d', '--limit', '2'];
    const { exitCode, out } = await cli(argv, { items, next_cursor: 'abc' });
    expect(exitCode).toBe(0);
    expect(asked[0]?.call).toBe(
      'GET /api/v1/ticks?definition_id=nightly&outcome=fired&since=2026-11-18T12%3A00%3A00.000Z&limit=2',
    );
    expect(out.split('\n')).toEqual([
      'SCHEDULED FOR         OUTCOME  DEFINITION  RUN                                   REASON',
      '2026-11-20 01:30:00Z  fired    nightly     8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
      '2026-11-19 01:30:00Z  paused   nightly                                           too many tasks',
      'more: --cursor abc',
    ]);
  });
});

describe('run', () => {
  const started = { run_id: 'r-1', workflow_id: 'r-1' };

  test('prints the run’s id and how to look at it', async () => {
    const argv = ['run', 'nightly', '--reason', 'to see', '--idempotency-key', 'k'];
    const { exitCode, out } = await cli(argv, started);
    expect(exitCode).toBe(0);
    expect(asked[0]).toMatchObject({
      call: 'POST /api/v1/definitions/nightly/runs',
      body: { reason: 'to see' },
      headers: { 'idempotency-key': 'k', 'x-requested-by': 'cli' },
    });
    expect(out).toBe('Started run r-1 of nightly.\nWhat comes of it: activity-core runs show r-1');
  });

  test('sends no key unless one is given', async () => {
    const { out } = await cli(['run', 'nightly', '--json'], started);
    expect(JSON.parse(out)).toEqual(started);
    expect(asked[0]?.headers).not.toHaveProperty('idempotency-key');
  });
});

describe('backfill', () => {
  const range = { definition_id: 'nightly', from: '2026-11-18T12:00:00Z', to: '2026-11-20T12:00:00.5Z' };
  const found = { ...range, ticks: 31, have_runs: 4, pending: 0, remaining: 0, items: [] };

  test('first tells what it finds, then starts it in the same range', async () => {
    const { exitCode, out } = await cli(
      ['backfill', 'nightly', '--from', '2d', '--reason', 'outage'],
      { ...found, would_start: 27 },
      { ...found, started: 27 },
    );
    expect(exitCode).toBe(0);
    expect(asked.map(({ body }) => body)).toEqual([
      { from: '2026-11-18T12:00:00.000Z', reason: 'outage', dry_run: true },
      { from: '2026-11-18T12:00:00.000Z', reason: 'outage', to: '2026-11-20T12:00:00.5Z', dry_run: false },
    ]);
    expect(out.split('\n')).toEqual([
      '31 ticks, 4 have runs, 27 would start',
      'Started 27 runs.',
      'What comes of them: activity-core runs list --definition nightly --trigger manual',
    ]);
  });

  test('dry, only tells', async () => {
    const preview = { ...found, ticks: 1, have_runs: 1, pending: 1, would_start: 0 };
    const { exitCode, out } = await cli(['backfill', 'nightly', '--from', '2d', '--dry-run'], preview);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '1 tick, 1 has a run, 1 pending, 0 would start' });
    expect(asked).toHaveLength(1);
  });

  test('tells what max has left', async () => {
    const limited = { ...found, remaining: 17 };
    const { out } = await cli(
      ['backfill', 'nightly', '--from', '2d', '--max', '10'],
      { ...limited, would_start: 10 },
      { ...limited, started: 10 },
    );
    expect(asked[0]?.body).toMatchObject({ max: 10 });
    expect(out).toContain('31 ticks, 4 have runs, 27 would start, 10 of them now\n');
    expect(out).toContain('Started 10 of 27; 17 are left: run it again.\n');
  });

  test('with nothing to start asks once', async () => {
    const { exitCode, out } = await cli(['backfill', 'nightly', '--from', '2d'], {
      ...found,
      would_start: 0,
    });
    expect({ exitCode, out }).toEqual({
      exitCode: 0,
      out: '31 ticks, 4 have runs, 0 would start\nNothing to start.',
    });
    expect(asked).toHaveLength(1);
  });

  test('in JSON is one document, the API’s answer', async () => {
    const started = { ...found, started: 27 };
    const { out } = await cli(['backfill', 'nightly', '--from', '2d', '--json'], started);
    expect(JSON.parse(out)).toEqual(started);
    expect(asked.map(({ body }) => body)).toMatchObject([{ dry_run: false }]);
  });

  test.each([
    [['--from', 'then'], '--from is `then`'],
    [['--from', '2d', '--max', '0'], 'a whole number from 1 to 10000'],
    [['--from', '2d', '--to', 'soon'], '--to is `soon`'],
    [[], "required option '--from <time>' not specified"],
  ])('with `%j` is bad use', async (options, told) => {
    const { exitCode, out, err } = await cli(['backfill', 'nightly', ...options]);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain(told);
  });
});

test('a time in a zone has the offset that counts there on that day', () => {
  expect(zonedTime('2026-07-01T00:30:00Z', 'Europe/Berlin')).toBe('2026-07-01 02:30:00+02:00 Europe/Berlin');
  expect(zonedTime('2026-01-01T00:30:00Z', 'Asia/Kolkata')).toBe('2026-01-01 06:00:00+05:30 Asia/Kolkata');
  expect(zonedTime('2026-01-01T00:30:00Z', 'Europe/London')).toBe('2026-01-01 00:30:00+00:00 Europe/London');
  expect(zonedTime('2026-01-01T00:30:00Z', 'Nowhere/Town')).toBe('2026-01-01T00:30:00Z');
});
