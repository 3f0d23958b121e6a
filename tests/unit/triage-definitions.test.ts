/** The two definitions that nobody watches, as they ship: what the model is asked, what is made of its answer, what is filed. */
import { expect, test } from 'vitest';
import type { CompiledDefinition } from '../../src/core/compile.ts';
import { renderReport } from '../../src/core/compile-report.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createOutputCheck } from '../../src/core/output-schema.ts';
import { renderPrompt } from '../../src/core/prompt.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { complete } from '../../src/dev/stand-ins/llm-connect-completion.ts';
import { parseCompletionRequest } from '../../src/dev/stand-ins/llm-connect-request.ts';
import { type StandInContent, standInContent } from '../../src/dev/stand-ins/state-hub-content.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { snapshotOf } from '../../src/resolvers/state-hub-snapshot.ts';

const run = { run_id: 'r', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };
const content = standInContent(new Date('2026-11-20T06:00:00Z'));

const { definitions } = await loadDefinitions('definitions', createResolvers());

function shipped(id: string): CompiledDefinition {
  const found = definitions.find(({ definition }) => definition.id === id);
  if (!found) throw new Error(`${id} does not ship`);
  return found.compiled;
}

const snapshot = ({ workstreams, tasks }: StandInContent): JsonObject =>
  snapshotOf(
    { items: workstreams.map((one) => ({ ...one })), truncated: false },
    { items: tasks.map((one) => ({ ...one })), truncated: false },
  );

function promptFor(hub: JsonObject) {
  const { instructions } = shipped('daily-statehub-wsjf-triage');
  const [triage] = instructions;
  if (!triage) throw new Error('there is no instruction');
  const rendered = renderPrompt(triage.prompt, { event: null, context: { hub }, run, instructions: {} });
  if (!rendered.ok) throw new Error(rendered.error.message);
  const { messages } = rendered.prompt;
  const text = messages.at(-1)?.content ?? '';
  const blocks = [...text.matchAll(/^BEGIN DATA .*\n(.*)\nEND DATA /gm)].map(([, json = '']) =>
    JSON.parse(json),
  );
  return { triage, messages, text, blocks };
}

/** As State Hub has them. */
const withTasks = (tasks: object[]): StandInContent => ({
  ...content,
  tasks: tasks.map((task) => ({ ...content.tasks[0]!, ...task })),
});

test('the model sees the ranking in its order, what is not ranked, and the day', () => {
  const hub = snapshot(content);
  const { text, blocks } = promptFor(hub);
  const idsOf = (list: unknown) => (list as { id: string }[]).map(({ id }) => id);
  const [ranked, , unranked] = blocks;
  expect(idsOf(ranked)).toEqual(idsOf(hub.ranked));
  expect(idsOf(unranked)).toEqual(['HUB-105', 'HUB-116', 'HUB-121', 'HUB-126']);
  expect(text).toContain('Today is 2026-11-20.');
});

test('nothing but what the guide names leaves the house', () => {
  const hub = snapshot(withTasks([{ owner: 'ines', note: 'a-secret' }]));
  const { text, blocks } = promptFor(hub);
  expect(Object.keys(blocks[0][0]).sort()).toEqual(
    'business_value id job_size risk_reduction time_criticality title updated_at workstream_id wsjf'.split(
      ' ',
    ),
  );
  expect(text).not.toMatch(/a-secret|"owner"/);
});

test.each([
  ['14 days and a day', '2026-11-05T23:59:59Z', true],
  ['14 days', '2026-11-06T00:00:00Z', false],
  ['since this morning', '2026-11-20T05:00:00.123456+01:00', false],
  ['a day that no calendar has', '2026-02-31T00:00:00Z', true],
  ['nobody knows when', null, false],
  ['since something that is no time', '99 days ago', false],
])('a task that nobody has touched for %s: stale is computed and never fails', (_, updated_at, isStale) => {
  const { blocks } = promptFor(snapshot(withTasks([{ id: 'A', updated_at }])));
  expect(blocks[1].map(({ id }: { id: string }) => id)).toEqual(isStale ? ['A'] : []);
});

test('an empty State Hub gives a prompt and a report all the same', () => {
  const { blocks } = promptFor(snapshot({ workstreams: [], tasks: [] }));
  expect(blocks).toEqual([[], [], [], { truncated: false, workstreams: [] }]);
});

test('the answer of a model fits its schema, and becomes a summary that a person can read', () => {
  const hub = snapshot(content);
  const { triage, messages } = promptFor(hub);
  const schema = triage.output_schema;
  const request = parseCompletionRequest(
    JSON.stringify({
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'triage', schema } },
    }),
  );
  if (!request.ok) throw new Error('the stand-in does not take it');
  const { choices } = complete(request.value, null).body as { choices: { message: { content: string } }[] };
  const checked = createOutputCheck()(schema, choices[0]?.message.content ?? '');
  if (!checked.ok) throw new Error(JSON.stringify(checked.violations));
  const { reports } = shipped('daily-statehub-wsjf-triage');
  const bindings = { event: null, context: { hub }, run, instructions: { triage: checked.value } };
  expect(reports.map((report) => renderReport(report, bindings))).toMatchObject([
    {
      ok: true,
      report: {
        event_type: 'daily_triage',
        summary: expect.stringMatching(/ \(26 tasks ranked, 4 not ranked; 3 risks, 3 stale, 3 questions\)$/),
        detail: {
          triage: checked.value,
          snapshot_hash: hub.snapshot_hash,
          tasks_ranked: 26,
          tasks_unranked: 4,
          truncated: false,
        },
      },
    },
    { ok: true, report: { name: 'daily-triage-2026-11-20' } },
  ]);
});

test('every object of the schema is closed and requires all of its members, as strict endpoints ask for', () => {
  const { triage } = promptFor(snapshot(content));
  const objectsIn = (schema: unknown): Record<string, unknown>[] => {
    if (typeof schema !== 'object' || schema === null) return [];
    const below = Object.values(schema).flatMap(objectsIn);
    return 'properties' in schema ? [{ ...schema }, ...below] : below;
  };
  const objects = objectsIn(triage.output_schema);
  expect(objects).toHaveLength(5);
  for (const { required, properties, additionalProperties } of objects) {
    expect(additionalProperties).toBe(false);
    expect(required).toEqual(Object.keys(properties as object));
  }
});

test('both are enabled, run once a day in a zone of their own, are missed when silent, and make no task', () => {
  for (const id of ['daily-statehub-wsjf-triage', 'ops-inventory-probe']) {
    const { definition, instructions } = shipped(id);
    expect(definition).toMatchObject({
      enabled: true,
      emit: 'audit',
      expect: { run_every: '26h' },
      rules: [],
      trigger: { schedule: { timezone: 'Europe/Berlin', overlap: 'skip', catchup_window: '6h' } },
    });
    expect(instructions.flatMap(({ tasks }) => tasks)).toEqual([]);
  }
});

test.each([
  [
    'all answer',
    true,
    'nothing that was asked is away; 0 task specs wait, 2 events in quarantine, 1 of 5 schedules paused',
  ],
  ['one is away', false, 'away: nats; 0 task specs wait, 2 events in quarantine, 1 of 5 schedules paused'],
])('the evidence of operations says it in one line where %s', (_, ok, summary) => {
  const { reports } = shipped('ops-inventory-probe');
  const ops = {
    dependencies: [
      { name: 'nats', ok },
      { name: 'llm-connect', ok: null },
    ],
    queues: { outbox_pending: 0, quarantine_open: 2 },
    schedules: { paused: 1, applied: 5 },
  };
  const bindings = { event: null, context: { ops }, run, instructions: {} };
  expect(reports.map((report) => renderReport(report, bindings))).toMatchObject([
    { ok: true, report: { event_type: 'ops_inventory_probe', summary, detail: { inventory: ops } } },
  ]);
});
