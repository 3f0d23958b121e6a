import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LlmConnectStandIn, startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import type { Fault } from '../../src/dev/stand-ins/llm-connect-faults.ts';
import { type CapturedSurroundings, captureCli } from '../setup/captured-cli.ts';
import { answering, startHttpServer } from './http-server.ts';

let standIn: LlmConnectStandIn;
beforeEach(async () => {
  standIn = await startLlmConnectStandIn();
});
afterEach(() => standIn.close());

const smoke = (args: string[] = [], surroundings: CapturedSurroundings = {}) =>
  captureCli(['smoke', 'llm-connect', ...args], surroundings);
const smokeThere = (...args: string[]) => smoke(['--url', standIn.url, ...args]);

test('an answer that fits is told with model, latency, tokens and the verdict', async () => {
  const { exitCode, out, err } = await smokeThere();
  expect([exitCode, err]).toEqual([0, `Asking ${standIn.url} for a triage of five tasks; at most 300 s…`]);
  expect(out).toMatch(/^model +activity-core-stand-in$/m);
  expect(out).toMatch(/^latency +\d+\.\d s$/m);
  expect(out).toMatch(/^tokens +\d+ in the prompt, \d+ in the answer$/m);
  expect(out).toContain('"id": "T-14"');
  expect(out).toMatch(/\nThe answer fits the schema\.$/);
});

test('--json prints the same for a program, and nothing else', async () => {
  const { exitCode, out, err } = await smokeThere('--json');
  expect([exitCode, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject({
    verdict: 'schema_valid',
    url: standIn.url,
    model: 'activity-core-stand-in',
    finish_reason: 'stop',
    usage: { prompt_tokens: expect.any(Number) },
    output: { top: [{ id: 'T-14' }, { id: 'T-03' }, { id: 'T-21' }], stale_ids: ['T-17', 'T-03', 'T-08'] },
    violations: [],
    message: null,
  });
});

test.each<[Fault, string[]]>([
  ['schema_breaking', ['/summary: must be string', 'does not fit the schema: use a model']],
  ['not_json', ['is not JSON', 'Of course!', 'enforces `response_format`']],
  ['truncated', ['was cut off', "raise the endpoint's limit"]],
  ['refusal', ['is a refusal', 'I cannot help with that.', 'use another model']],
  [
    'http_500',
    ['something went wrong', 'no answer to check: llm-connect answered 500; the same may be asked again'],
  ],
])('%s is told with what to do next, and is 1', async (fault, told) => {
  standIn.setFaults({ faults: [fault] });
  const { exitCode, out } = await smokeThere();
  expect(exitCode).toBe(1);
  for (const part of told) expect(out).toContain(part);
});

test('an endpoint that is not there, or silent, is 1', async () => {
  standIn.setFaults({ faults: ['hang'] });
  const silent = await smoke([], {
    environment: { LLM_CONNECT_URL: standIn.url, LLM_CONNECT_TIMEOUT_SECONDS: '1' },
  });
  expect(silent).toMatchObject({ exitCode: 1, out: expect.stringContaining('no answer within 1 s') });
  await standIn.close();
  const gone = await smokeThere('--json');
  expect([gone.exitCode, JSON.parse(gone.out)]).toMatchObject([
    1,
    { verdict: 'no_answer', message: 'llm-connect: connection refused; is LLM_CONNECT_URL right?' },
  ]);
});

test('the model of LLM_CONNECT_MODEL is asked for, with the schema', async () => {
  await smoke([], { environment: { LLM_CONNECT_URL: standIn.url, LLM_CONNECT_MODEL: 'm-1' } });
  const [request] = standIn.requests();
  expect(JSON.parse(request?.body ?? '')).toMatchObject({
    model: 'm-1',
    response_format: { type: 'json_schema', json_schema: { name: 'smoke_triage', strict: true } },
  });
  expect(request?.authorization).toBeNull();
});

test('an answer cannot write to the terminal', async () => {
  const content = '\u001b[2J\u202eevil';
  const body = { model: '\u001b]0;x\u0007m', choices: [{ message: { content } }] };
  await using server = await startHttpServer(answering(200, body));
  const { exitCode, out } = await smoke(['--url', server.url]);
  expect(exitCode).toBe(1);
  expect(out).toContain('evil');
  expect(['\u001b', '\u0007', '\u202e'].filter((character) => out.includes(character))).toEqual([]);
});

test('without an address it is the running dev instance that is asked, and --url comes first', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'smoke-'));
  try {
    const dev = { api_url: 'http://x', nats_url: 'nats://x', pid: 1, llm_connect_url: standIn.url };
    writeFileSync(join(stateDir, 'dev.json'), JSON.stringify(dev));
    expect((await smoke([], { stateDir })).exitCode).toBe(0);
    const environment = { LLM_CONNECT_URL: 'http://127.0.0.1:1' };
    expect((await smoke([], { stateDir, environment })).exitCode).toBe(1);
    expect((await smoke(['--url', `${standIn.url}/`], { stateDir, environment })).exitCode).toBe(0);
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});

test.each<[string, string[], string]>([
  ['no address at all', [], 'LLM_CONNECT_URL is not set'],
  ['an address that is none', ['--url', 'localhost:11434'], 'expected one like'],
  ['an address with a key in it', ['--url', 'http://llm/?key=k'], 'is no plain http(s) URL'],
  ['a password in it', ['--url', 'http://a:secret@localhost'], 'holds a user or password'],
  ['an unknown option', ['--fast'], 'unknown option'],
])('%s is bad use', async (_what, args, message) => {
  const { exitCode, out, err } = await smoke(args);
  expect([exitCode, out]).toEqual([2, '']);
  expect(err).toContain(message);
  expect(err).not.toContain('secret');
});
