/** A backtest of a schedule whose runs ask State Hub and a model, against a running service: nobody is asked again. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { BacktestReport } from '../../src/backtest/report.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { post } from '../setup/schedule-path.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import { createTriagePath, type TriagePath, triage } from '../setup/triage-path.ts';
import { until } from '../setup/until.ts';

const ID = 'short-triage';
const TOKEN = 'a-token-of-this-test';

/** A task for each that ranks high, with the whole of it in a text; and one for each that the model names. */
const TRIAGE = triage(
  ID,
  '{ schedule: { every: 2s } }',
  `    tasks:
      - for_each: output.top_items
        as: top
        task: { title: "{{ top.title }}" }`,
).concat(`rules:
  - id: ranked
    for_each: context.hub.ranked
    as: item
    condition: item.wsjf > 3.0
    task:
      title: "Do {{ item.title }}"
      description: "{{ item }}"
      dedupe_key: "{{ item.id }}"
`);

let hub: TriagePath;
let service: ServiceProcess;

beforeAll(async () => {
  hub = await createTriagePath(inject('servers'), { [ID]: TRIAGE });
  service = await hub.serve();
  await post(service.url, '/plan/apply');
  await until(
    'three ticks have run',
    async () =>
      (await hub.path.count('activity_runs', "trigger_kind = 'schedule' AND status = 'completed'")) >= 3,
  );
  await service.stop();
  // Only the API is up from here on: no tick comes to the ones that are looked at.
  service = await hub.serve({ roles: 'api', environment: { ADMIN_TOKEN: TOKEN } });
});

afterAll(async () => {
  await service?.stop();
  await hub?.[Symbol.asyncDispose]();
});

async function backtest(document: string, ...options: string[]) {
  const file = join(hub.path.definitionsDir, `${ID}.yaml`);
  await writeFile(file, document);
  const environment = { ADMIN_TOKEN: TOKEN };
  return captureCli(['backtest', file, '--since', '10m', '--fail-on-change', ...options], {
    environment,
    apiAddress: service.url,
  });
}

async function reportOf(document: string, exitCode: number): Promise<BacktestReport> {
  const ended = await backtest(document, '--json');
  expect(ended).toMatchObject({ exitCode, err: '' });
  return JSON.parse(ended.out);
}

async function countRows(): Promise<Record<string, number>> {
  const { rows } = await hub.path.pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const counts: Record<string, number> = {};
  for (const { tablename } of rows) counts[tablename] = await hub.path.count(tablename);
  return counts;
}

test('unchanged, it makes the same of every tick; nobody is asked and nothing is written', async () => {
  const asked = [hub.llmConnect.requests().length, hub.stateHub.progress().length];
  const rows = await countRows();
  const report = await reportOf(TRIAGE, 0);
  expect(report).toMatchObject({ is_changed: false, differences: [], not_reproducible: 0, new_failures: 0 });
  expect(report.compared).toBeGreaterThanOrEqual(3);
  expect(report.specs.recorded).toBeGreaterThan(report.compared);
  expect(report.specs.unchanged).toBe(report.specs.recorded);
  expect([hub.llmConnect.requests().length, hub.stateHub.progress().length]).toEqual(asked);
  expect(await countRows()).toEqual(rows);
});

test('with another rule, it is decided over what State Hub and the model said then', async () => {
  const report = await reportOf(TRIAGE.replace('item.wsjf > 3.0', 'item.wsjf > 9.0'), 1);
  expect(report).toMatchObject({ is_changed: true, not_reproducible: 0 });
  expect(report.specs.gone).toBeGreaterThan(0);
  expect(report.differences).toMatchObject([{ kind: 'gone', rule_id: 'ranked', outcome: 'completed' }]);
  const { values } = report.differences[0]?.examples[0] ?? {};
  expect(Number(values?.['item.wsjf'])).toBeGreaterThan(3);
});

test.each([
  ['prompt', 'matters most', 'matters least', 'instruction_changed'],
  [
    'source',
    'type: state-hub, bind_to: context.hub }',
    'type: state-hub, bind_to: context.hub }\n  - { type: ops-inventory, bind_to: context.ops }',
    'context_source_new',
  ],
])('with another %s, no tick can be told, and it says so', async (_what, from, to, reason) => {
  const report = await reportOf(TRIAGE.replace(from, to), 1);
  expect(report).toMatchObject({ compared: 0, is_changed: false });
  expect(report.not_reproducible).toBeGreaterThanOrEqual(3);
  expect(report.differences).toMatchObject([{ kind: 'not_reproducible', reason }]);
});

test('with another schedule, times that it does not share are gone, and new ones cannot be told', async () => {
  const report = await reportOf(TRIAGE.replace('every: 2s', 'every: 3s'), 1);
  const found = report.differences.map(({ kind, outcome, reason }) => [kind, outcome, reason]);
  expect(found).toContainEqual(['outcome', 'not_due', null]);
  expect(found).toContainEqual(['not_reproducible', null, 'context_source_new']);
  expect(report.notes).toEqual(['schedule_changed']);
});

test('as a process of its own, it says the same', async () => {
  await writeFile(join(hub.path.definitionsDir, `${ID}.yaml`), TRIAGE);
  const argv = [MAIN, 'backtest', join(hub.path.definitionsDir, `${ID}.yaml`), '--api', service.url];
  const env = { PATH: process.env.PATH, ADMIN_TOKEN: TOKEN };
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env });
  expect(stdout).toContain('It would have done the same. Nothing was written or sent.');
});

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

test('without the token, the record is not shown', async () => {
  const response = await fetch(`${service.url}/api/v1/backtest/${ID}`);
  expect(response.status).toBe(401);
});
