/** What tests of the daily triage share: a schedule path, stand-ins for State Hub and llm-connect, and a folder for notes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LlmConnectStandIn, startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import type { Trust } from '../../src/trust/evidence.ts';
import { createSchedulePath, get, post, type SchedulePath } from './schedule-path.ts';
import type { TestServers } from './servers.ts';
import { type ServiceProcess, spawnService } from './service-process.ts';
import { until } from './until.ts';

export interface TriagePath extends AsyncDisposable {
  path: SchedulePath;
  stateHub: StateHubStandIn;
  llmConnect: LlmConnectStandIn;
  notesDir: string;
  notes(): Promise<string[]>;
  /** Applies what is declared, when it is ready. */
  serve(options?: { roles?: string; environment?: Record<string, string> }): Promise<ServiceProcess>;
}

export interface TriageRun {
  run_id: string;
  status: string;
  review_required: boolean;
  error: { code: string; message: string; details: Record<string, unknown> } | null;
  instructions: {
    instruction_id: string;
    status: string;
    reused: boolean;
    prompt_hash: string;
    output: unknown;
    answers: { answer: string | null; accepted: boolean; violations: { pointer: string }[] }[];
  }[];
  reports: { sink: string; status: string; attempts: number; error: string | null; filed: object | null }[];
  tasks: { idempotency_key: string; rule_id: string; status: string; review_required: boolean }[];
  context: object | null;
}

export async function createTriagePath(
  servers: TestServers,
  definitions: Record<string, string>,
): Promise<TriagePath> {
  const path = await createSchedulePath(servers, definitions);
  const stateHub = await startStateHubStandIn({ engagements: {} });
  const llmConnect = await startLlmConnectStandIn();
  const notesDir = await mkdtemp(join(tmpdir(), 'activity-core-notes-'));
  return {
    path,
    stateHub,
    llmConnect,
    notesDir,
    notes: async () => (await readdir(notesDir)).sort(),
    async serve({ roles, environment } = {}) {
      const service = await spawnService({
        environment: {
          ...path.environment,
          DEFINITIONS_DIR: path.definitionsDir,
          STATE_HUB_URL: stateHub.url,
          LLM_CONNECT_URL: llmConnect.url,
          WORKING_MEMORY_DIR: notesDir,
          ...environment,
        },
        ...(roles && { roles }),
      });
      await service.ready();
      return service;
    },
    async [Symbol.asyncDispose]() {
      await path[Symbol.asyncDispose]();
      await stateHub.close();
      await llmConnect.close();
      await rm(notesDir, { recursive: true, force: true });
    },
  };
}

/** A triage on a short schedule, or by hand alone: State Hub's tasks, one instruction, both reports. */
export function triage(id: string, trigger: string, instruction = ''): string {
  return `
id: ${id}
title: Triage on a short schedule
owner: tests
trigger: ${trigger}
context_sources:
  - { type: state-hub, bind_to: context.hub }
instructions:
  - id: triage
    prompt: |
      Say what matters most among these tasks.
      {{ context.hub.ranked }}
    output_schema:
      type: object
      additionalProperties: false
      required: [headline, top_items]
      properties:
        headline: { type: string, minLength: 1, maxLength: 300 }
        top_items:
          type: array
          maxItems: 3
          items:
            type: object
            additionalProperties: false
            required: [task_id, title]
            properties:
              task_id: { type: string, minLength: 1 }
              title: { type: string, minLength: 1 }
    review_required: true
${instruction}
reports:
  - sink: state-hub-progress
    event_type: daily_triage
    summary: "{{ instructions.triage.headline }}"
    detail: { triage: instructions.triage }
  - { sink: working-memory, name: "daily-triage-{{ run.date }}" }
`;
}

/** What a run filed as its triage; feedback on it is progress too. */
export const triagesOf = ({ stateHub }: TriagePath, runId: string | null | undefined) =>
  stateHub
    .progress()
    .filter(({ event_type, detail }) => event_type === 'daily_triage' && detail.run_id === runId);

export const readRun = (url: string, runId: string): Promise<TriageRun> =>
  get<TriageRun>(url, `/runs/${runId}`);

export async function runByHand(url: string, definitionId: string): Promise<string> {
  const answer = (await post(url, `/definitions/${definitionId}/runs`)) as { run_id: string };
  return answer.run_id;
}

export async function ended(url: string, runId: string): Promise<TriageRun> {
  return until(
    'the run is over',
    async () => {
      const run = await readRun(url, runId);
      return run.status === 'running' ? null : run;
    },
    { boundMs: 240_000 },
  );
}

export const readTrust = (url: string, definitionId: string, required = 3): Promise<Trust> =>
  get<Trust>(url, `/trust/${definitionId}?required=${required}`);

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** `activity-core trust`, as an operator calls it. */
export function trustByCli(url: string, definitionId: string): Promise<{ code: number; output: string }> {
  const args = [MAIN, 'trust', definitionId, '--api', url];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { PATH: process.env.PATH } }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: `${stdout}${stderr}` });
    });
  });
}
