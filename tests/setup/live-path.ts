/** What tests of live tasks share: the event path, an issue-core stand-in, definitions that may emit, and services to kill. */
import { createServer } from 'node:http';
import { definitionSchema } from '../../src/core/definition.ts';
import { reviewedContentHash } from '../../src/core/reviewed-content.ts';
import { type IssueCoreStandIn, startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { advanceRegistryVersion, findCurrentDefinition, lockRegistry } from '../../src/store/definitions.ts';
import { type Pool, transaction } from '../../src/store/pool.ts';
import { insertReview, type Verdict } from '../../src/store/run-reviews.ts';
import { applyFolder } from './apply-folder.ts';
import { createEventPath, definitionsFolder, type EventPath } from './event-path.ts';
import type { TestServers } from './servers.ts';
import { type ServiceProcess, spawnService } from './service-process.ts';
import { until } from './until.ts';

export const TOKEN = 'a-token-that-must-never-be-seen-7f3a';

export interface LivePath extends AsyncDisposable {
  path: EventPath;
  issueCore: IssueCoreStandIn;
  /** Applies these definitions, by file name, with those that ship. */
  apply(files: Record<string, string>): Promise<void>;
  /** As a reviewer would, of what is applied now. */
  review(definitionId: string, verdict?: Verdict): Promise<void>;
  serve(environment?: Record<string, string>): Promise<ServiceProcess>;
  tasks(where?: string): Promise<TaskRow[]>;
  runs(where?: string): Promise<RunRow[]>;
}

export interface TaskRow {
  idempotency_key: string;
  run_id: string;
  dedupe_key: string | null;
  status: string;
  task_ref: string | null;
  attempts: number;
  last_error: { status: number | null; message: string; answer: string | null } | null;
  spec: { title: string };
}

export interface RunRow {
  run_id: string;
  status: string;
  sink_mode: string;
  sink_reason: string | null;
  error: { code: string; message: string; details: Record<string, unknown> } | null;
}

export async function createLivePath(
  servers: TestServers,
  { files, approved = [] }: { files: Record<string, string>; approved?: string[] },
): Promise<LivePath> {
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  await using folder = await definitionsFolder(files);
  const path = await createEventPath(servers, { definitions: folder.path });
  const live: LivePath = {
    path,
    issueCore,
    async apply(changed) {
      await using next = await definitionsFolder(changed);
      await applyFolder(path.pool, next.path);
    },
    review: (definitionId, verdict) => reviewCurrent(path.pool, definitionId, verdict),
    async serve(environment = {}) {
      const service = await spawnService({
        environment: {
          ...path.environment,
          ISSUE_SINK_TYPE: 'issue-core',
          ISSUE_CORE_URL: issueCore.url,
          ISSUE_CORE_TOKEN: TOKEN,
          ISSUE_CORE_TIMEOUT_SECONDS: '60',
          ...environment,
        },
      });
      await service.ready();
      return service;
    },
    async tasks(where = 'true') {
      const { rows } = await path.pool.query(
        `SELECT * FROM task_spawn_log WHERE ${where} ORDER BY created_at`,
      );
      return rows;
    },
    async runs(where = 'true') {
      const { rows } = await path.pool.query(
        `SELECT * FROM activity_runs WHERE ${where} ORDER BY started_at`,
      );
      return rows;
    },
    async [Symbol.asyncDispose]() {
      await path[Symbol.asyncDispose]();
      await issueCore.close();
    },
  };
  for (const id of approved) await live.review(id);
  return live;
}

/** What POST /runs/{run_id}/review writes, without a run. */
export async function reviewCurrent(
  pool: Pool,
  definitionId: string,
  verdict: Verdict = 'approved',
): Promise<void> {
  await transaction(pool, async (client) => {
    await lockRegistry(client);
    const current = await findCurrentDefinition(client, definitionId);
    if (!current) throw new Error(`${definitionId} is not applied`);
    await insertReview(client, {
      run_id: '00000000-0000-5000-8000-000000000000',
      definition_id: definitionId,
      definition_hash: current.definition_hash,
      content_hash: reviewedContentHash(definitionSchema.parse(current.document)),
      verdict,
      reviewer: 'a test',
      note: null,
    });
    await advanceRegistryVersion(client);
  });
}

/** One task for each event: `dedupe_key` is a template, left out where null. */
export function liveOnEvent(
  id: string,
  {
    dedupe_key = null,
    on_duplicate = 'skip',
    emit = 'live',
    title = 'Review {{ event.id }}',
  }: {
    dedupe_key?: string | null;
    on_duplicate?: string;
    emit?: string;
    title?: string;
  } = {},
): Record<string, string> {
  return {
    [`${id}.yaml`]: `
id: ${id}
title: A task for each event
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
rules:
  - id: always
    condition: "true"
    task: { title: '${title}'${dedupe_key === null ? '' : `, dedupe_key: '${dedupe_key}'`} }
emit: ${emit}
on_duplicate: ${on_duplicate}
`,
  };
}

/** Many tasks in one run, started by hand: one for each element of a list. */
export function liveByHand(id: string, titles: string[], rest = ''): Record<string, string> {
  return {
    [`${id}.yaml`]: `
id: ${id}
title: Many tasks at once
owner: tests
trigger: { manual: {} }
context_sources:
  - { type: static, bind_to: context.titles, params: { value: ${JSON.stringify(titles)} } }
rules:
  - id: each
    for_each: context.titles
    condition: "true"
    task: { title: '{{ item }}' }
emit: live
limits: { max_tasks_per_run: 1000 }
${rest}`,
  };
}

export async function startByHand({ url }: ServiceProcess, definitionId: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/definitions/${definitionId}/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { run_id: string }).run_id;
}

export async function call(
  { url }: ServiceProcess,
  path: string,
  body: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** The run as it ended. */
export function ended(live: LivePath, runId: string): Promise<RunRow> {
  return until(`run ${runId} ends`, async () => {
    return (await live.runs(`run_id = '${runId}' AND status <> 'running'`))[0];
  });
}

/** A port of loopback where nobody listens. */
export async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}
