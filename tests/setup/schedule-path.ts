/** What tests of the schedule path share: a Temporal server, a database and a folder of definitions of their own. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type ScheduleHandle } from '@temporalio/client';
import { createEventPath, type EventPath } from './event-path.ts';
import type { TestServers } from './servers.ts';
import { type ServiceProcess, spawnService } from './service-process.ts';

export interface SchedulePath extends EventPath {
  definitionsDir: string;
  client: Client;
  declare(id: string, document: string): Promise<void>;
  remove(id: string): Promise<void>;
  spawn(roles?: string): Promise<ServiceProcess>;
  scheduleOf(id: string): ScheduleHandle;
  ticks(id: string): Promise<TickRow[]>;
}

export interface TickRow {
  scheduled_for: string;
  outcome: string | null;
  reason: string | null;
  run_id: string | null;
}

/** Schedules have the ids of their definitions, and Temporal's namespace would be shared: the server is this test's alone. */
export async function createSchedulePath(
  shared: TestServers,
  definitions: Record<string, string>,
): Promise<SchedulePath> {
  const definitionsDir = await mkdtemp(join(tmpdir(), 'activity-core-definitions-'));
  for (const [id, document] of Object.entries(definitions))
    await writeFile(join(definitionsDir, `${id}.yaml`), document);
  const path = await createEventPath(shared, { definitions: definitionsDir, own: ['temporal'] });
  const connection = Connection.lazy({
    address: path.own.temporal_address,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  const client = new Client({ connection });
  return {
    ...path,
    definitionsDir,
    client,
    declare: (id, document) => writeFile(join(definitionsDir, `${id}.yaml`), document),
    remove: (id) => rm(join(definitionsDir, `${id}.yaml`)),
    spawn: (roles) =>
      spawnService({
        environment: { ...path.environment, DEFINITIONS_DIR: definitionsDir },
        ...(roles ? { roles } : {}),
      }),
    scheduleOf: (id) => client.schedule.getHandle(`activity-core:${id}`),
    async ticks(id) {
      const { rows } = await path.pool.query(
        `SELECT scheduled_for, outcome, reason, run_id FROM schedule_ticks WHERE definition_id = $1 ORDER BY scheduled_for`,
        [id],
      );
      return rows;
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
      await path[Symbol.asyncDispose]();
      await rm(definitionsDir, { recursive: true, force: true });
    },
  };
}

/** A definition with a schedule, a static context and a rule that always holds. */
export function scheduled(id: string, schedule: string, title = 'Do it'): string {
  return `
id: ${id}
title: Something on a schedule
owner: tests
trigger:
  schedule: { ${schedule} }
context_sources:
  - { type: static, bind_to: context.facts, params: { value: { due: true } } }
rules:
  - id: always
    condition: context.facts.due
    task: { title: "${title} at {{ run.scheduled_for }}" }
`;
}

export const uniqueId = (): string => `scheduled-${randomUUID().slice(0, 8)}`;

export async function post(url: string, path: string, body: object = {}): Promise<unknown> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

export interface RunAnswer {
  run_id: string;
  definition_hash: string;
  status: string;
  trigger: { kind: string; scheduled_for?: string };
  temporal: { workflow_id: string };
  tasks: { spec: { title: string } }[];
}

export async function get<Answer>(url: string, path: string): Promise<Answer> {
  return (await (await fetch(`${url}/api/v1${path}`)).json()) as Answer;
}

export const getRun = (url: string, runId: string | null | undefined): Promise<RunAnswer> =>
  get<RunAnswer>(url, `/runs/${runId}`);

export const listRuns = async (url: string, query: string): Promise<RunAnswer[]> =>
  (await get<{ items: RunAnswer[] }>(url, `/runs?${query}`)).items;
