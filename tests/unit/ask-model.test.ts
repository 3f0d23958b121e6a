/** Asking the model, over HTTP, with what is asked and answered kept in memory as in a dry run. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AskModelInput, createAskModel } from '../../src/activities/ask-model.ts';
import { type CallJournal, createMemoryCallJournal } from '../../src/activities/call-journal.ts';
import { createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import { contentSha256 } from '../../src/core/document.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ChatMessage, createOutputCheck } from '../../src/core/output-schema.ts';
import { type LlmConnectStandIn, startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import { type Answering, answering, startHttpServer } from './http-server.ts';

let standIn: LlmConnectStandIn;
let journal: CallJournal;
let logged: string[];
beforeEach(async () => {
  standIn = await startLlmConnectStandIn();
  journal = createMemoryCallJournal();
  logged = [];
});
afterEach(() => standIn.close());

const SCHEMA: JsonObject = {
  type: 'object',
  required: ['summary'],
  properties: { summary: { type: 'string' } },
};
const run = {
  run_id: 'run-1',
  definition_id: 'triage',
  origin_trigger_key: 'manual:1',
  definition_hash: 'hash-1',
};
const retry = { ...run, run_id: 'run-2' };
const instruction = {
  id: 'sum-up',
  review_required: true,
  output_schema: SCHEMA,
  temperature: 0.2,
  max_tokens: 500,
};

function promptOf(content: string) {
  const messages: ChatMessage[] = [{ role: 'user', content }];
  return { messages, prompt_hash: contentSha256(messages) };
}

interface Asking extends Partial<AskModelInput> {
  /** Null: LLM_CONNECT_URL is not set. */
  url?: string | null;
  timeoutMs?: number;
}

function ask({ url = standIn.url, timeoutMs = 60_000, ...input }: Asking = {}) {
  const askModel = createAskModel({
    llmConnect: url === null ? null : createLlmConnectClient({ url, timeoutMs, model: undefined }),
    checkOutput: createOutputCheck(),
    journal,
    logger: pino({ level: 'debug', base: null }, { write: (line: string) => void logged.push(line) }),
  });
  return askModel({ run, instruction, prompt: promptOf('The secret plan'), maxCalls: 10, ...input });
}

const sent = (): { messages: ChatMessage[]; [member: string]: unknown }[] =>
  standIn.requests().map(({ body }) => JSON.parse(body));

async function askThere(answer: Answering, input: Asking = {}) {
  await using server = await startHttpServer(answer);
  return { asked: await ask({ ...input, url: server.url }), requests: server.asked };
}

const said = (content: string, usage?: object) => ({
  choices: [{ message: { content }, finish_reason: 'stop' }],
  usage,
});

describe('an answer that the schema allows', () => {
  test('it is the output, and stands on record with what it took', async () => {
    const asked = await ask();
    const output = { summary: expect.any(String) };
    expect(asked).toMatchObject({ kind: 'answered', output });
    expect(asked.record).toEqual({
      instruction_id: 'sum-up',
      status: 'answered',
      review_required: true,
      reused: false,
      prompt_hash: promptOf('The secret plan').prompt_hash,
      output,
      answers: [
        {
          answer: expect.stringContaining('"summary"'),
          accepted: true,
          violations: [],
          fault: null,
          model: 'activity-core-stand-in',
          finish_reason: 'stop',
          usage: { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) },
          latency_ms: expect.any(Number),
          asked_at: expect.stringMatching(/Z$/),
        },
      ],
    });
  });

  test('the model is asked as the instruction says', async () => {
    await ask({ instruction: { ...instruction, id: 'sum up/всё' } });
    expect(sent()).toEqual([
      {
        messages: promptOf('The secret plan').messages,
        temperature: 0.2,
        max_tokens: 500,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'sum_up____', strict: true, schema: SCHEMA },
        },
      },
    ]);
  });

  test('it is used again by the run and by its retries, and the model is not asked', async () => {
    const first = await ask();
    const again = await ask({ url: null });
    expect(again).toEqual({ ...first, record: { ...first.record, reused: true } });
    // Another prompt of the same instruction has the answer that is there: its tasks are those that may be sent already.
    expect(await ask({ run: retry, prompt: promptOf('The plan of tomorrow'), url: null })).toMatchObject({
      kind: 'answered',
      record: { reused: true, answers: first.record.answers },
    });
    expect(sent()).toHaveLength(1);
  });

  test('another instruction, another revision and another chain are asked themselves', async () => {
    await ask();
    await ask({ instruction: { ...instruction, id: 'other' } });
    await ask({ run: { ...run, definition_hash: 'hash-2' } });
    await ask({ run: { ...run, origin_trigger_key: 'manual:2' } });
    await ask({ run: { ...run, definition_id: 'other' } });
    expect(sent()).toHaveLength(5);
  });

  test('one on record that the schema does not allow is not used', async () => {
    await ask();
    const strict = { ...SCHEMA, required: ['summary', 'risks'], properties: { risks: { type: 'integer' } } };
    const asked = await ask({ instruction: { ...instruction, output_schema: strict } });
    expect(asked).toMatchObject({
      kind: 'answered',
      record: { reused: false, output: { risks: expect.any(Number) } },
    });
    expect(sent()).toHaveLength(2);
  });

  test('of two attempts at one moment both use the answer that was accepted first, whoever asked first', async () => {
    const arrived = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    await using slow = await startHttpServer(async (asked, response) => {
      arrived.resolve();
      await mayAnswer.promise;
      answering(200, said('{"summary":"too late"}'))(asked, response);
    });
    const one = ask({ url: slow.url });
    await arrived.promise;
    const other = await ask();
    mayAnswer.resolve();
    const { output, record } = other.kind === 'answered' ? other : expect.fail(other.error.message);
    expect(record.answers[0]).toMatchObject({
      answer: null,
      fault: expect.stringContaining('still to come'),
    });
    expect(await one).toMatchObject({
      kind: 'answered',
      output,
      record: { reused: true, answers: [{ answer: '{"summary":"too late"}' }, { accepted: true }] },
    });
  });

  test('tokens beyond what can be stored are not told', async () => {
    const usage = { prompt_tokens: 2 ** 40, completion_tokens: 1 };
    const { asked } = await askThere(answering(200, said('{"summary":"a"}', usage)));
    expect(asked).toMatchObject({ kind: 'answered', record: { answers: [{ usage: null, accepted: true }] } });
  });
});

describe('an answer that the schema refuses', () => {
  test('is asked again once, with what is wrong with it, and both stand on record', async () => {
    standIn.setFaults({ faults: ['schema_breaking_once'] });
    const asked = await ask();
    expect(asked).toMatchObject({
      kind: 'answered',
      record: {
        reused: false,
        answers: [
          { accepted: false, violations: [{ pointer: '/summary', message: 'must be string' }] },
          { accepted: true, violations: [] },
        ],
      },
    });
    const [first, again] = sent();
    const [answer] = asked.record.answers;
    expect(again?.messages).toEqual([
      ...(first?.messages ?? []),
      { role: 'assistant', content: answer?.answer },
      { role: 'user', content: expect.stringContaining('"pointer":"/summary"') },
    ]);
  });

  test('twice: the instruction is invalid, says why, and is not asked a third time', async () => {
    standIn.setFaults({ faults: ['schema_breaking'] });
    const violations = [{ pointer: '/summary', message: 'must be string' }];
    const asked = await ask();
    expect(asked).toMatchObject({
      kind: 'invalid',
      record: { status: 'invalid', output: null, reused: false, answers: [{ violations }, { violations }] },
      error: {
        code: 'instruction_invalid',
        message: expect.stringMatching(
          /`sum-up`.*\/summary must be string.*Both answers are kept on the run/,
        ),
        details: { instruction_id: 'sum-up', violations: [violations, violations] },
      },
    });
    expect(await ask()).toEqual(asked);
    expect(sent()).toHaveLength(2);
  });

  test('an attempt that comes after the first refusal goes on from there', async () => {
    const wrong = await askThere((asked, response) => {
      const isFirst = JSON.parse(asked.body).messages.length === 1;
      answering(isFirst ? 200 : 503, isFirst ? said('{"summary":1}') : '')(asked, response);
    });
    expect(wrong.asked.kind).toBe('unavailable');
    expect(await ask()).toMatchObject({
      kind: 'answered',
      record: { answers: [{ answer: '{"summary":1}' }, { fault: expect.any(String) }, { accepted: true }] },
    });
    expect(sent().map(({ messages }) => messages.length)).toEqual([3]);
  });

  test('a retry asks anew', async () => {
    standIn.setFaults({ faults: ['not_json'] });
    expect(await ask()).toMatchObject({ kind: 'invalid' });
    standIn.setFaults({ faults: [] });
    const asked = await ask({ run: retry });
    expect(asked).toMatchObject({ kind: 'answered', record: { answers: [{ accepted: true }] } });
    expect(sent().map(({ messages }) => messages.length)).toEqual([1, 3, 1]);
  });

  test.each(['truncated', 'refusal'] as const)('%s: it is none that could be used', async (fault) => {
    standIn.setFaults({ faults: [fault] });
    expect(await ask()).toMatchObject({ kind: 'invalid', record: { answers: [{}, { accepted: false }] } });
  });

  test('a thousand things wrong with it are told in part', async () => {
    const list: JsonObject = { type: 'array', items: { enum: ['x'.repeat(5000)] } };
    const { asked } = await askThere(answering(200, said(JSON.stringify(Array(1000).fill(1)))), {
      instruction: { ...instruction, output_schema: list },
    });
    const { error } = asked.kind === 'invalid' ? asked : expect.fail(asked.kind);
    expect(error.message).toMatch(/\/0 must be one of .*… \[truncated\].*and 98 more/);
    expect(JSON.stringify(error).length).toBeLessThan(20_000);
  });
});

describe('no answer', () => {
  test.each([
    ['http_500', 500, null],
    ['http_429', 429, 1000],
  ] as const)('%s: it may work later, and takes nothing from the budget', async (fault, status, wait) => {
    standIn.setFaults({ faults: [fault] });
    const asked = await ask({ maxCalls: 1 });
    expect(asked).toMatchObject({
      kind: 'unavailable',
      retry_after_ms: wait,
      error: {
        code: 'instruction_failed',
        message: expect.stringMatching(`\`sum-up\`: llm-connect answered ${status}`),
        details: { instruction_id: 'sum-up', status },
      },
      record: {
        status: 'failed',
        answers: [
          { accepted: false, fault: expect.stringContaining(`${status}`), answer: expect.any(String) },
        ],
      },
    });
    standIn.setFaults({ faults: [] });
    expect(await ask({ maxCalls: 1 })).toMatchObject({
      kind: 'answered',
      record: { answers: [{ accepted: false }, { accepted: true }] },
    });
  });

  test('a refusal for good fails, with the advice', async () => {
    const { asked, requests } = await askThere(answering(401, 'who are you?'));
    expect(asked).toMatchObject({
      kind: 'failed',
      error: { code: 'instruction_failed', message: expect.stringContaining('set LLM_CONNECT_URL to') },
      record: { status: 'failed', answers: [{ answer: 'who are you?' }] },
    });
    expect(requests).toHaveLength(1);
  });

  test('silence may be a model that has worked: it counts', async () => {
    standIn.setFaults({ faults: ['hang'] });
    expect(await ask({ timeoutMs: 2_000, maxCalls: 1 })).toMatchObject({
      kind: 'unavailable',
      retry_after_ms: null,
      error: { message: expect.stringContaining('no answer within 2 s') },
    });
    expect(await ask({ maxCalls: 1 })).toMatchObject({
      kind: 'failed',
      error: {
        message: expect.stringContaining('(the last time: llm-connect: no answer within 2 s)'),
        details: { calls: 1, limit: 1 },
      },
    });
  });

  test('a gateway that answers with a page again and again leaves the budget whole', async () => {
    for (let n = 0; n < 3; n += 1) {
      const { asked } = await askThere(answering(200, '<html>'), { maxCalls: 1 });
      expect(asked).toMatchObject({ kind: 'unavailable' });
    }
    expect(await ask({ maxCalls: 1, run: retry })).toMatchObject({ kind: 'answered' });
  });

  test.each([408, 502, 504])('%i may come of a model that has worked: it counts', async (status) => {
    const { asked } = await askThere(answering(status, ''), { maxCalls: 1 });
    expect(asked).toMatchObject({ kind: 'unavailable' });
    expect(await ask({ maxCalls: 1 })).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringContaining(`(the last time: llm-connect answered ${status}`) },
    });
  });

  test('a connection that is refused does not count', async () => {
    const { url } = standIn;
    await standIn.close();
    expect(await ask({ maxCalls: 1 })).toMatchObject({ kind: 'unavailable' });
    standIn = await startLlmConnectStandIn({ port: Number(new URL(url).port) });
    expect(await ask({ maxCalls: 1 })).toMatchObject({ kind: 'answered' });
  });

  test('without LLM_CONNECT_URL it fails, and says so', async () => {
    expect(await ask({ url: null })).toMatchObject({
      kind: 'failed',
      record: { answers: [] },
      error: {
        code: 'instruction_failed',
        message: 'instruction `sum-up`: LLM_CONNECT_URL is not set',
        details: { instruction_id: 'sum-up' },
      },
    });
  });

  test('who gives up is not kept waiting, and before the request nothing is asked', async () => {
    const giveUp = new AbortController();
    const { asked } = await askThere(() => giveUp.abort(), { signal: giveUp.signal });
    expect(asked).toMatchObject({
      kind: 'unavailable',
      error: { message: expect.stringContaining('given up') },
    });
    expect(await ask({ signal: giveUp.signal })).toMatchObject({
      kind: 'unavailable',
      record: { answers: [{ fault: expect.stringContaining('given up') }] },
    });
    expect(sent()).toEqual([]);
  });
});

describe('the budget', () => {
  test('is that of all instructions and of all retries, and tells how to raise it', async () => {
    await ask();
    await ask({ instruction: { ...instruction, id: 'other' } });
    const third = { instruction: { ...instruction, id: 'third' }, run: retry };
    expect(await ask({ ...third, maxCalls: 2 })).toMatchObject({
      kind: 'failed',
      record: { status: 'failed', answers: [] },
      error: {
        code: 'instruction_failed',
        message: expect.stringMatching(
          /`third`.* retries .* asked the model 2 times .*max_model_calls_per_run is 2; set that higher/,
        ),
        details: { instruction_id: 'third', calls: 2, limit: 2 },
      },
    });
    expect(sent()).toHaveLength(2);
    expect(await ask({ ...third, maxCalls: 3 })).toMatchObject({ kind: 'answered' });
  });

  test('ends between an answer that was refused and asking again', async () => {
    standIn.setFaults({ faults: ['schema_breaking'] });
    expect(await ask({ maxCalls: 1 })).toMatchObject({
      kind: 'failed',
      record: { answers: [{ violations: [{ pointer: '/summary' }] }] },
    });
    expect(sent()).toHaveLength(1);
  });
});

test('the log tells what was asked and what it took, and nothing of the prompt or the answer', async () => {
  standIn.setFaults({ faults: ['schema_breaking_once'] });
  const { record } = await ask();
  standIn.setFaults({ faults: ['http_500'] });
  await ask({ run: { ...run, origin_trigger_key: 'manual:2' } });
  const lines = logged.map((line) => JSON.parse(line));
  const asked = { run_id: 'run-1', instruction_id: 'sum-up', latency_ms: expect.any(Number) };
  const counts = { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) };
  const model = 'activity-core-stand-in';
  expect(lines).toMatchObject([
    { level: 30, ...asked, ...counts, model, outcome: 'refused', msg: 'the model answered' },
    { level: 30, ...asked, ...counts, model, outcome: 'accepted', msg: 'the model answered' },
    { level: 40, ...asked, status: 500, msg: 'the model did not answer' },
  ]);
  for (const { answer } of record.answers) expect(logged.join('')).not.toContain(JSON.stringify(answer));
  expect(logged.join('')).not.toMatch(/secret plan|something went wrong/);
});
