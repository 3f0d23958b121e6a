import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { captureCli } from '../setup/captured-cli.ts';

interface Ended {
  exitCode: number;
  out: string;
  err: string;
}

/** As a process: `node src/main.ts …`. */
function spawnMain(argv: string[], environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/main.ts', ...argv], { env }, (error, out, err) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
    });
  });
}

describe('as a process', () => {
  test('--version and --help end with 0', async () => {
    expect(await spawnMain(['--version'])).toMatchObject({ exitCode: 0, out: '0.1.0\n', err: '' });
    expect(await spawnMain(['runs', '--help'])).toMatchObject({ exitCode: 0, err: '' });
  });

  test.each([
    [['definitions', 'pause', '--help'], /--reason <text> .*\(required\)/],
    [['backfill', '--help'], /--from <time> [^-]*\(required\)/],
  ])('%j marks what must be given', async (argv, marked) => {
    const { out } = await captureCli(argv, { columns: 200 });
    expect(out).toMatch(marked);
    expect(out.split('(required)')).toHaveLength(2);
  });

  test('a faulty configuration ends with 2 and lists every fault', async () => {
    const { exitCode, out, err } = await spawnMain(['runs', 'list'], { ADMIN_PORT: 'x', LOG_LEVEL: 'loud' });
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toMatch(/^error: the configuration has 2 faults:\n {2}ADMIN_PORT is.*\n {2}LOG_LEVEL is/s);
    expect(err).not.toContain('    at ');
  });

  test('a reader that leaves early is no error', async () => {
    const command = `"${process.execPath}" src/main.ts definitions schema | true; echo "\${PIPESTATUS[0]}"`;
    const ended = await new Promise<Ended>((resolve) => {
      execFile('bash', ['-c', command], (error, out, err) => resolve({ exitCode: error ? 1 : 0, out, err }));
    });
    expect(ended).toEqual({ exitCode: 0, out: '0\n', err: '' });
  });
});

describe('bad use ends with 2', () => {
  test.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['quarantin'], 'Did you mean quarantine?'],
    [['runs', 'lst'], 'Did you mean list?'],
    [['runs', 'list', '--stats', 'failed'], 'Did you mean --status?'],
    [['runs', 'list', '--status', 'broken'], 'Allowed choices are running, completed, failed, missed'],
    [['runs', 'list', '--limit', '501'], 'a whole number from 1 to 500'],
    [['runs', 'list', '--since', 'then'], '--since is `then`; expected a time like'],
    [['runs', 'list', 'more'], 'too many arguments'],
    [['runs', 'show'], "missing required argument 'run_id'"],
    [['quarantine', 'discard', 'x'], "required option '--reason <text>' not specified"],
    [['dry-run', 'x', '--event', 'there-is-none.json'], 'there is no such file'],
    [['dry-run', 'x', '--event', 'package.json', '--at', 'now'], '--at is `now`'],
    [['publish', '-', '--lines'], 'standard input is empty'],
    [['dev', '--ephemeral', '--state-dir', 'src'], 'src is not empty'],
    [['runs', 'list', '--api', 'host'], '--api is `host`; expected a URL'],
  ])('in `%j`', async (argv, told) => {
    const { exitCode, out, err } = await captureCli(argv);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain(told);
    expect(err).not.toContain('    at ');
  });

  test('an API that is not there is told of, with what to do', async () => {
    const api = await fixedApi({ status: 200, body: {} });
    await api[Symbol.asyncDispose]();
    const { exitCode, err } = await captureCli(['runs', 'list'], { apiAddress: api.url });
    expect(exitCode).toBe(2);
    expect(err).toBe(
      `error: no activity-core answers at ${api.url} (ACTIVITY_CORE_API): connection refused; start it with \`npm run dev\`, or name another with --api or ACTIVITY_CORE_API (that of --ephemeral or --state-dir prints its address when it is ready)`,
    );
  });

  test('a group without its command shows what there is', async () => {
    const { exitCode, err } = await captureCli(['events']);
    expect(exitCode).toBe(2);
    expect(err).toContain('explain');
  });
});

describe('what the API answers', () => {
  const problem = (status: number, code: string, more = {}) => ({
    status,
    body: { type: 'about:blank', title: 'No', status, code, detail: 'because of that', ...more },
  });

  test.each([
    ['something that is not there', 1, problem(404, 'not_found'), 'error: not_found: because of that'],
    ['something in the wrong state', 1, problem(409, 'wrong_state'), 'error: wrong_state: because of that'],
    [
      'an id that several have',
      1,
      problem(409, 'ambiguous_id', { event_uids: ['u-1', 'u-2'] }),
      '  u-1\n  u-2',
    ],
    [
      'an event that is refused',
      1,
      problem(400, 'invalid_event', { violations: [{ pointer: '/id', message: 'is missing' }] }),
      '  /id: is missing',
    ],
    ['a request that is refused', 2, problem(400, 'invalid_request'), 'error: invalid_request'],
    ['an event that was left out', 2, problem(400, 'event_required'), 'error: event_required'],
    ['a token that is missing', 2, problem(401, 'unauthorized'), 'set ADMIN_TOKEN'],
    ['a service that is away', 2, problem(503, 'unavailable'), 'error: unavailable'],
    [
      'another service',
      2,
      { status: 200, body: { hello: 'world' } },
      "does not speak activity-core's API: /api/v1/runs/r",
    ],
    ['a proxy', 2, { status: 502, body: 'Bad gateway' }, 'it answered 502 without a problem document'],
  ])('%s ends with %i', async (_what, code, answer, told) => {
    await using api = await fixedApi(answer);
    const { exitCode, out, err } = await captureCli(['runs', 'show', 'r', '--api', api.url]);
    expect({ exitCode, out }).toEqual({ exitCode: code, out: '' });
    expect(err).toContain(told);
  });

  test('control characters in a problem do not reach the terminal', async () => {
    await using api = await fixedApi(problem(404, 'not_found', { detail: 'no \u001b[2Jrun' }));
    const { err } = await captureCli(['runs', 'show', 'r', '--api', api.url]);
    expect(err).toBe('error: not_found: no run');
  });

  test('the token goes out as a bearer token, also from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'activity-core-cli-'));
    try {
      await writeFile(join(folder, 'token'), 'from-a-file\n');
      await using api = await fixedApi(problem(404, 'not_found'));
      await captureCli(['runs', 'show', 'r', '--api', api.url], {
        environment: { ADMIN_TOKEN_FILE: join(folder, 'token') },
      });
      expect(api.authorizations).toEqual(['Bearer from-a-file']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** A server that gives one answer to everything. */
async function fixedApi({ status, body }: { status: number; body: unknown }) {
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    response
      .writeHead(status, { connection: 'close' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    authorizations,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
