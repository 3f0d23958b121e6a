/** Secrets that nobody else has go in everywhere; every system fails and repeats what it was sent; none comes out anywhere. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createEventPath, definitionsFolder, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { liveByHand, reviewCurrent } from '../setup/live-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';
import { type HttpServer, startHttpServer } from '../unit/http-server.ts';

const SECRETS = {
  admin: 'hidden-admin-4d1f9a',
  wrongAdmin: 'hidden-guess-77ab02',
  issueCore: 'hidden-issues-b03c11',
  issueCoreUrl: 'hidden-issuesurl-0e9d2c',
  stateHub: 'hidden-hub-5ac8e7',
  stateHubUrl: 'hidden-huburl-9b1d44',
  llmUrl: 'hidden-llmurl-c2f0aa',
  opsHub: 'hidden-ops-e61b93',
  temporal: 'hidden-temporal-18f5d0',
  postgres: 'hidden-postgres-6c77be',
  wrongPostgres: 'hidden-postgres-wrong-aa0142',
  nats: 'hidden-nats-3b9e58',
  natsSeed: 'hidden-seed-f4207c',
};

const INSTRUCTION = `
id: asks
title: Asks a model that refuses
owner: tests
trigger: { manual: {} }
instructions:
  - { id: one, prompt: Say something, output_schema: { type: object, required: [word], properties: { word: { type: string } } } }
`;
const REPORT = `
id: tells
title: Tells a State Hub that refuses
owner: tests
trigger: { manual: {} }
reports:
  - { sink: state-hub-progress, event_type: daily_triage, summary: "It ran" }
`;

let path: EventPath;
let echo: HttpServer;
let folder: string;
let environment: Record<string, string>;
/** Whatever anybody could read, with where it stood. */
const seen: [string, string][] = [];

/** A URL with a user and this password. */
function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.username ||= 'somebody';
  changed.password = password;
  return changed.href.replace(/\/$/, '');
}

beforeAll(async () => {
  const files = {
    ...liveByHand('by-hand', ['one', 'two']),
    'asks.yaml': INSTRUCTION,
    'tells.yaml': REPORT,
  };
  await using definitions = await definitionsFolder(files);
  path = await createEventPath(inject('servers'), { definitions: definitions.path });
  await reviewCurrent(path.pool, 'by-hand');
  // It refuses, and says everything that it was sent, plain and in base64.
  echo = await startHttpServer(({ headers, url, body }, response) => {
    const said = JSON.stringify({ url, headers, body });
    response.writeHead(422, { 'x-said': encodeURIComponent(said) });
    response.end(JSON.stringify({ said, again: Buffer.from(said).toString('base64') }));
  });
  folder = await mkdtemp(join(tmpdir(), 'activity-core-secrets-'));
  const databaseUrl = path.environment.DATABASE_URL ?? '';
  await path.pool.query(`ALTER ROLE ${new URL(databaseUrl).username} PASSWORD '${SECRETS.postgres}'`);
  environment = {
    ...path.environment,
    LOG_LEVEL: 'trace',
    DATABASE_URL: withPassword(databaseUrl, SECRETS.postgres),
    NATS_URL: withPassword(path.environment.NATS_URL ?? '', SECRETS.nats),
    ADMIN_TOKEN: SECRETS.admin,
    ISSUE_SINK_TYPE: 'issue-core',
    ISSUE_CORE_URL: withPassword(echo.url, SECRETS.issueCoreUrl),
    ISSUE_CORE_TOKEN: SECRETS.issueCore,
    STATE_HUB_URL: withPassword(echo.url, SECRETS.stateHubUrl),
    STATE_HUB_TOKEN: SECRETS.stateHub,
    LLM_CONNECT_URL: withPassword(echo.url, SECRETS.llmUrl),
    OPS_HUB_KEY: SECRETS.opsHub,
    TEMPORAL_API_KEY: SECRETS.temporal,
    TEMPORAL_TLS: 'false',
  };
});
afterAll(async () => {
  await path[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ask(
  { url }: ServiceProcess,
  route: string,
  { body, token = SECRETS.admin }: { body?: object; token?: string } = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}${route}`, {
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await response.text();
  seen.push([`${response.status} ${route}`, text + JSON.stringify([...response.headers])]);
  return /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : {};
}

async function runByHand(service: ServiceProcess, definition: string): Promise<Record<string, unknown>> {
  const { run_id } = await ask(service, `/api/v1/definitions/${definition}/runs`, { body: {} });
  await until(`the run of ${definition} ends, or its report waits for another attempt`, async () => {
    const { rows } = await path.pool.query(
      "SELECT 1 FROM activity_runs WHERE run_id = $1 AND (status <> 'running' OR reports->0->>'error' IS NOT NULL)",
      [run_id],
    );
    return rows[0];
  });
  return ask(service, `/api/v1/runs/${run_id}`);
}

test('while it works, and everybody whom it asks refuses and repeats what was sent', async () => {
  await using service = await spawnService({ environment });
  await service.ready();
  await path.publish(metricsEvent('e-1'));
  await path.publish('{');
  await path.drained();
  expect(await runByHand(service, 'by-hand')).toMatchObject({
    status: 'failed',
    error: { code: 'task_rejected' },
  });
  expect(await runByHand(service, 'asks')).toMatchObject({
    status: 'failed',
    error: { code: 'instruction_failed' },
  });
  expect(await runByHand(service, 'tells')).toMatchObject({
    reports: [{ status: 'pending', error: expect.stringContaining('422') }],
  });
  expect(echo.asked.map(({ headers }) => headers.authorization)).toEqual(
    expect.arrayContaining([`Bearer ${SECRETS.issueCore}`, `Bearer ${SECRETS.stateHub}`]),
  );
  expect(await ask(service, '/api/v1/runs', { token: SECRETS.wrongAdmin })).toMatchObject({ status: 401 });
  expect(await ask(service, '/api/v1/definitions/by-hand/promotion')).toHaveProperty('definition_id');
  expect(
    await ask(service, '/api/v1/definitions/asks/runs', { body: { dry_run: true, model: true } }),
  ).toEqual(expect.objectContaining({ errors: [expect.anything()] }));
  const lists = ['definitions', 'runs', 'tasks', 'events', 'quarantine', 'event-types', 'ticks', 'plan'];
  for (const list of lists) await ask(service, `/api/v1/${list}`);
  for (const open of ['/healthz', '/readyz', '/metrics', '/openapi.json']) await ask(service, open);
  seen.push(['log of the service', service.log()]);
});

test('while each server is away, or refuses it', async () => {
  const creds = join(folder, 'nats.creds');
  await writeFile(
    creds,
    `-----BEGIN NATS USER ${'JWT'}-----\n${SECRETS.natsSeed}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY ${'SEED'}-----\n${SECRETS.natsSeed}\n------END USER NKEY ${'SEED'}------\n`,
  );
  const databaseUrl = environment.DATABASE_URL ?? '';
  const faults: [string, Record<string, string>][] = [
    ['waiting for PostgreSQL', { DATABASE_URL: withPassword(databaseUrl, SECRETS.wrongPostgres) }],
    ['waiting for PostgreSQL', { DATABASE_URL: databaseUrl.replace(/:\d+\//, ':1/') }],
    ['waiting for Temporal', { TEMPORAL_ADDRESS: '127.0.0.1:1' }],
    ['waiting for Temporal', { TEMPORAL_TLS: 'true' }],
    ['waiting for NATS', { NATS_CREDS_FILE: creds }],
  ];
  for (const [waiting, changed] of faults) {
    await using service = await spawnService({ environment: { ...environment, ...changed } });
    await until(`it is ${waiting}`, async () => service.log().includes(waiting), { context: service.log });
    await ask(service, '/readyz');
    await ask(service, '/api/v1/runs');
    await ask(service, '/metrics');
    await service.kill();
    seen.push([`log: ${JSON.stringify(Object.keys(changed))}`, service.log()]);
  }
  await using service = await spawnService({ environment });
  await service.ready();
  await path.own.stop('nats');
  await until('it says that NATS is away', async () => service.log().includes('disconnected from NATS'));
  await ask(service, '/readyz');
  seen.push(['log without NATS', service.log()]);
});

test('with a configuration that is wrong in everything', async () => {
  const wrong = {
    ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, ` ${value} \u0001`])),
    ADMIN_TOKEN_FILE: join(folder, 'nothing'),
  };
  const error = await spawnService({ environment: wrong }).then(
    () => new Error('it started'),
    (refusal: Error) => refusal,
  );
  expect(error.message).toContain('the service ended with 2');
  seen.push(['refused configuration', error.message]);
});

test('no secret is in a log, an answer, a metric, a row of PostgreSQL or a history of Temporal', async () => {
  const { rows } = await path.pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  for (const { tablename } of rows) {
    const { rows: dump } = await path.pool.query(`SELECT t::text AS row FROM ${tablename} t`);
    seen.push([tablename, dump.map(({ row }) => row).join('\n')]);
  }
  const histories = await historiesOf(path);
  expect(histories.length).toBeGreaterThan(3);
  seen.push(...histories);
  expect(seen.length).toBeGreaterThan(40);
  const leaks = Object.entries(SECRETS).flatMap(([name, secret]) =>
    seen
      .filter(([, text]) => formsOf(secret).some((form) => text.includes(form)))
      .map(([where, text]) => `${name} in ${where}: ${excerpt(text, formsOf(secret))}`),
  );
  expect(leaks).toEqual([]);
  // What was repeated did come in, and was cut.
  expect(seen.some(([, text]) => text.includes('[redacted]'))).toBe(true);
});

/** As it is, and as base64 has it at any place of a longer text. */
function formsOf(secret: string): string[] {
  const inside = [0, 1, 2].map((offset) =>
    Buffer.from('\0'.repeat(offset) + secret)
      .toString('base64')
      .slice(offset === 0 ? 0 : 4, -4),
  );
  return [secret, ...inside];
}

function excerpt(text: string, forms: string[]): string {
  const at = Math.max(...forms.map((form) => text.indexOf(form)));
  return text.slice(Math.max(0, at - 200), at + 60);
}

async function historiesOf({ own, taskQueue }: EventPath): Promise<[string, string][]> {
  const connection = await Connection.connect({ address: own.temporal_address });
  try {
    const { workflow } = new Client({ connection });
    const found: [string, string][] = [];
    for (const queue of [taskQueue, `${taskQueue}-emit`]) {
      for await (const { workflowId } of workflow.list({ query: `TaskQueue = '${queue}'` })) {
        const history = await workflow.getHandle(workflowId).fetchHistory();
        const text = JSON.stringify(history, (_key, value) =>
          value instanceof Uint8Array ? Buffer.from(value).toString() : value,
        );
        found.push([`history of ${workflowId}`, text]);
      }
    }
    return found;
  } finally {
    await connection.close();
  }
}
