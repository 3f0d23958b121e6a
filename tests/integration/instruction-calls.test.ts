/** What is asked of a model and answered, in PostgreSQL: two attempts at one moment, crashes, retries; and contexts that are pinned. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { type AskModelInput, createAskModel } from '../../src/activities/ask-model.ts';
import { createCallJournal } from '../../src/activities/call-journal.ts';
import { createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import { contentSha256 } from '../../src/core/document.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ChatMessage, createOutputCheck } from '../../src/core/output-schema.ts';
import { type LlmConnectStandIn, startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import { NO_RESULT } from '../../src/store/instruction-calls.ts';
import { pinContext, readPinnedContext, unpinContexts } from '../../src/store/pinned-contexts.ts';
import { createTestDatabase } from '../setup/database.ts';
import { holdTable } from '../setup/hold-table.ts';

let db: Awaited<ReturnType<typeof createTestDatabase>>;
let standIn: LlmConnectStandIn;
let run: AskModelInput['run'];

beforeAll(async () => {
  db = await createTestDatabase(inject('servers').database_url);
  standIn = await startLlmConnectStandIn();
});
beforeEach(() => {
  run = {
    run_id: randomUUID(),
    definition_id: 'triage',
    origin_trigger_key: `manual:${randomUUID()}`,
    definition_hash: 'hash-1',
  };
  standIn.setFaults({ faults: [] });
});
afterAll(async () => {
  await standIn?.close();
  await db?.[Symbol.asyncDispose]();
});

const SCHEMA: JsonObject = {
  type: 'object',
  required: ['summary'],
  properties: { summary: { type: 'string' } },
};
const instruction = {
  id: 'sum-up',
  review_required: false,
  output_schema: SCHEMA,
  temperature: undefined,
  max_tokens: 500,
};
const messages: ChatMessage[] = [{ role: 'user', content: 'Go.' }];
const prompt = { messages, prompt_hash: contentSha256(messages) };

interface Asking extends Partial<AskModelInput> {
  url?: string;
}

function ask({ url = standIn.url, ...input }: Asking = {}) {
  const askModel = createAskModel({
    llmConnect: createLlmConnectClient({ url, timeoutMs: 60_000, model: undefined }),
    checkOutput: createOutputCheck(),
    journal: createCallJournal(db.pool),
    logger: pino({ level: 'silent' }),
  });
  return askModel({ run, instruction, prompt, maxCalls: 10, ...input });
}

const retryOf = (first: AskModelInput['run']) => ({ ...first, run_id: randomUUID() });

async function rowsOf({ origin_trigger_key }: AskModelInput['run']) {
  const { rows } = await db.pool.query(
    'SELECT * FROM instruction_calls WHERE origin_trigger_key = $1 ORDER BY call_id',
    [origin_trigger_key],
  );
  return rows;
}

/** A model that answers each request with another text, when the test says so, in the order that it says. */
async function startPatientModel() {
  const waiting: ((summary: string) => void)[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      waiting.push((summary) => {
        const content = JSON.stringify({ summary });
        response.end(JSON.stringify({ choices: [{ message: { content }, finish_reason: 'stop' }] }));
      });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('the intent is committed before the request, and the answer before it is used', async () => {
  await using model = await startPatientModel();
  const asked = ask({ url: model.url });
  await expect.poll(() => model.waiting.length).toBe(1);
  expect(await rowsOf(run)).toMatchObject([
    {
      ...run,
      instruction_id: 'sum-up',
      prompt_hash: prompt.prompt_hash,
      ended_at: null,
      outcome: null,
      counts: true,
    },
  ]);
  expect(await idleInTransaction()).toBe(0);
  const held = await holdTable(db.pool, 'instruction_calls');
  let isUsed = false;
  const used = asked.then((answer) => {
    isUsed = true;
    return answer;
  });
  model.waiting[0]?.('done');
  await held.reached();
  expect(isUsed).toBe(false);
  await held.release();
  expect(await used).toMatchObject({ kind: 'answered', output: { summary: 'done' } });
  expect(await rowsOf(run)).toMatchObject([
    {
      outcome: 'accepted',
      answer: '{"summary":"done"}',
      output: { summary: 'done' },
      ended_at: expect.any(String),
    },
  ]);
});

async function idleInTransaction(): Promise<number> {
  const { rows } = await db.pool.query(
    `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`,
  );
  return rows[0].n;
}

test('a retry in another run uses the answer of the first; another revision does not', async () => {
  const first = await ask();
  const retried = await ask({ run: retryOf(run) });
  expect(retried).toEqual({ ...first, record: { ...first.record, reused: true } });
  expect(await rowsOf(run)).toHaveLength(1);
  const changed = { ...retryOf(run), definition_hash: 'hash-2' };
  expect(await ask({ run: changed })).toMatchObject({
    kind: 'answered',
    record: { reused: false },
  });
  expect(await rowsOf(run)).toHaveLength(2);
});

test('two attempts at one moment use the same answer: the one that was accepted first, whoever asked first', async () => {
  await using model = await startPatientModel();
  const one = ask({ url: model.url });
  await expect.poll(() => model.waiting.length).toBe(1);
  const other = ask({ url: model.url });
  await expect.poll(() => model.waiting.length).toBe(2);
  model.waiting[1]?.('first accepted');
  expect(await other).toMatchObject({ output: { summary: 'first accepted' }, record: { reused: false } });
  // A clock that is set back in between changes nothing.
  await db.pool.query(
    "UPDATE instruction_calls SET ended_at = ended_at + interval '1 hour' WHERE run_id = $1 AND outcome = 'accepted'",
    [run.run_id],
  );
  model.waiting[0]?.('too late');
  const late = await one;
  expect(late).toMatchObject({ output: { summary: 'first accepted' }, record: { reused: true } });
  expect(late.record.answers.map(({ answer }) => answer)).toEqual([
    '{"summary":"too late"}',
    '{"summary":"first accepted"}',
  ]);
  expect(await ask({ run: retryOf(run) })).toMatchObject({ output: { summary: 'first accepted' } });
});

test('ten callers at once that are answered at once all use one answer', async () => {
  await using model = await startPatientModel();
  const asked = Array.from({ length: 10 }, () => ask({ url: model.url }));
  await expect.poll(() => model.waiting.length).toBe(10);
  for (const [at, answer] of model.waiting.entries()) answer(`answer ${at}`);
  const answers = await Promise.all(asked);
  const outputs = answers.map((answer) => answer.kind === 'answered' && JSON.stringify(answer.output));
  expect(new Set(outputs).size).toBe(1);
  expect(answers.filter(({ record }) => !record.reused)).toHaveLength(1);
});

test('ten callers at once do not exceed the budget, whatever they ask', async () => {
  await using model = await startPatientModel();
  const asked = Array.from({ length: 10 }, (_, at) =>
    ask({ url: model.url, maxCalls: 3, instruction: { ...instruction, id: `part-${at}` } }),
  );
  const settled = Promise.all(asked);
  await expect.poll(() => model.waiting.length).toBe(3);
  await expect.poll(async () => (await Promise.all(asked.map(stateOf))).filter(Boolean).length).toBe(7);
  for (const answer of model.waiting) answer('done');
  const kinds = (await settled).map(({ kind }) => kind).sort();
  expect(kinds).toEqual([...Array(3).fill('answered'), ...Array(7).fill('failed')]);
  expect(model.waiting).toHaveLength(3);
  expect(await rowsOf(run)).toHaveLength(3);
});

const PENDING = Symbol('pending');
const stateOf = async (asked: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([asked, Promise.resolve(PENDING)])) !== PENDING;

test('a call whose process died counts, is asked again, and stands on record without an answer', async () => {
  const journal = createCallJournal(db.pool);
  const question = { ...run, instruction_id: instruction.id };
  await journal.begin(question, { prompt_hash: prompt.prompt_hash, maxCalls: 1 });
  expect(await ask({ maxCalls: 1 })).toMatchObject({
    kind: 'failed',
    error: { code: 'instruction_failed', details: { calls: 1, limit: 1 } },
  });
  expect(await ask({ maxCalls: 2 })).toMatchObject({
    kind: 'answered',
    record: { answers: [{ answer: null, fault: expect.stringContaining('lost') }, { accepted: true }] },
  });
});

test('what did not reach the model does not count; what was refused counts, and stays with its violations', async () => {
  standIn.setFaults({ faults: ['http_500'] });
  expect(await ask({ maxCalls: 1 })).toMatchObject({ kind: 'unavailable' });
  standIn.setFaults({ faults: ['schema_breaking'] });
  const violations = [{ pointer: '/summary', message: 'must be string' }];
  expect(await ask({ maxCalls: 2 })).toMatchObject({
    kind: 'invalid',
    record: { answers: [{ fault: expect.any(String) }, { violations }, { violations }] },
  });
  expect(await rowsOf(run)).toMatchObject([
    { outcome: 'failed', counts: false, violations: null, answer: expect.stringContaining('went wrong') },
    { outcome: 'refused', counts: true, violations, output: null, prompt_hash: prompt.prompt_hash },
    {
      outcome: 'refused',
      counts: true,
      violations,
      output: null,
      prompt_hash: expect.not.stringMatching(prompt.prompt_hash),
    },
  ]);
  standIn.setFaults({ faults: [] });
  expect(await ask({ maxCalls: 2, run: retryOf(run) })).toMatchObject({ kind: 'failed' });
  expect(await ask({ maxCalls: 3, run: retryOf(run) })).toMatchObject({
    kind: 'answered',
    record: { answers: [{ accepted: true }] },
  });
});

test('a call that has ended stays as it ended', async () => {
  const journal = createCallJournal(db.pool);
  const question = { ...run, instruction_id: instruction.id };
  const begun = await journal.begin(question, { prompt_hash: prompt.prompt_hash, maxCalls: 1 });
  const { call_id } = begun.ok ? begun : expect.fail('no budget');
  const ending = { ...NO_RESULT, counts: true, answer: 'null' };
  await journal.end(question, call_id, { ...ending, outcome: 'accepted', output: null });
  await journal.end(question, call_id, { ...ending, outcome: 'failed', counts: false });
  expect(await journal.listAccepted(question)).toMatchObject([{ call_id, outcome: 'accepted' }]);
  expect(await journal.begin(question, { prompt_hash: prompt.prompt_hash, maxCalls: 1 })).toEqual({
    ok: false,
    used: 1,
    last_fault: null,
  });
});

test('a gateway that answers with a page leaves the budget whole; one that waited in vain does not, and the error says so', async () => {
  const answers = [200, 200, 502];
  const gateway = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(answers.shift() ?? 500).end('<html>'));
  }).listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  for (let n = 0; n < 3; n += 1)
    expect(await ask({ url, maxCalls: 1 })).toMatchObject({ kind: 'unavailable' });
  await new Promise((resolve) => gateway.close(resolve));
  expect((await rowsOf(run)).map(({ counts }) => counts)).toEqual([false, false, true]);
  expect(await ask({ maxCalls: 1, run: retryOf(run) })).toMatchObject({
    kind: 'failed',
    error: { message: expect.stringContaining('(the last time: llm-connect answered 502') },
  });
  expect(await ask({ maxCalls: 2, run: retryOf(run) })).toMatchObject({ kind: 'answered' });
});

test('an answer of a megabyte and the strangest names are kept as they came', async () => {
  await using model = await startPatientModel();
  const long = ask({ url: model.url });
  await expect.poll(() => model.waiting.length).toBe(1);
  const text = `"'\\ufffd{{ run.run_id }}${'é'.repeat(400_000)}`;
  model.waiting[0]?.(text);
  await expect.poll(() => model.waiting.length).toBe(2);
  model.waiting[1]?.('shorter');
  expect(await long).toMatchObject({
    kind: 'answered',
    record: { answers: [{ answer: JSON.stringify({ summary: text }), accepted: false }, { accepted: true }] },
  });
});

test('of the contexts that are pinned for a run on one revision the first stays, until it is unpinned', async () => {
  const pinned = { run_id: run.run_id, definition_hash: 'one' };
  expect(await readPinnedContext(db.pool, pinned)).toBeNull();
  const contexts = await Promise.all([1, 2, 3, 4].map((n) => pinContext(db.pool, pinned, { n })));
  expect(new Set(contexts.map(({ n }) => n)).size).toBe(1);
  expect(await readPinnedContext(db.pool, pinned)).toEqual(contexts[0]);
  const other = { run_id: randomUUID(), definition_hash: 'one' };
  await pinContext(db.pool, other, { n: 5 });
  await unpinContexts(db.pool, []);
  await unpinContexts(db.pool, [run.run_id]);
  expect(await readPinnedContext(db.pool, pinned)).toBeNull();
  expect(await readPinnedContext(db.pool, other)).toEqual({ n: 5 });
  expect(await pinContext(db.pool, pinned, { n: 6 })).toEqual({ n: 6 });
});

test('what was pinned for another revision of the run is not used, and gives way', async () => {
  const { run_id } = run;
  await pinContext(db.pool, { run_id, definition_hash: 'old' }, { n: 1 });
  await db.pool.query("UPDATE pinned_contexts SET pinned_at = 'epoch' WHERE run_id = $1", [run_id]);
  const changed = { run_id, definition_hash: 'new' };
  expect(await readPinnedContext(db.pool, changed)).toBeNull();
  expect(await pinContext(db.pool, changed, { n: 2 })).toEqual({ n: 2 });
  expect(await pinContext(db.pool, changed, { n: 3 })).toEqual({ n: 2 });
  const { rows } = await db.pool.query('SELECT pinned_at FROM pinned_contexts WHERE run_id = $1', [run_id]);
  expect(rows).toEqual([{ pinned_at: expect.not.stringMatching(/^1970/) }]);
});
