/** Gathers what a promotion needs. Reads PostgreSQL and DEFINITIONS_DIR, and asks issue-core what is open. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { reviewedContentHash } from '../core/reviewed-content.ts';
import type { ActiveDefinition, AppliedRegistry } from '../definitions/applied-registry.ts';
import { shownFolder } from '../schedules/plan-folder.ts';
import type { Sink } from '../sinks/sink.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import type { Pool } from '../store/pool.ts';
import { findAuditRun, listRevisions } from '../store/reviewed-runs.ts';
import { findLatestReview, type Review } from '../store/run-reviews.ts';
import { findRun, type RunView } from '../store/run-views.ts';
import { listTasksOfRun } from '../store/task-spawn-log.ts';
import { findDefinition } from './find-definition.ts';
import { askOpenTasks } from './open-tasks.ts';

export interface PromotionDeps {
  pool: Pool;
  registry: AppliedRegistry;
  sinkMode: DecideSinkMode;
  /** There also while ISSUE_SINK_TYPE is null; null where ISSUE_CORE_URL is not set. */
  issueCore: Sink | null;
  definitionsDir: string;
}

export const CHECKS = ['declared', 'audit_run', 'review', 'issue_core', 'sink_type'] as const;

export interface Check {
  name: (typeof CHECKS)[number];
  ok: boolean;
  message: string;
}

/** Older revisions than these are not searched for an audit run of the same content. */
const REVISIONS_SEARCHED = 200;

/** @throws Problem: not_found */
export function createReadPromotion(deps: PromotionDeps) {
  return async function readPromotion(definitionId: string) {
    const current = findDefinition(await deps.registry.current(), definitionId);
    const { definition, definition_hash } = current;
    const contentHash = reviewedContentHash(definition);
    const [run, latest] = await Promise.all([
      findAuditRunOf(deps.pool, definitionId, contentHash),
      findLatestReview(deps.pool, definitionId, contentHash),
    ]);
    const made = run ? await listTasksOfRun(deps.pool, run.run_id) : [];
    const asked = await askOpenTasks(
      deps.issueCore,
      made.map(({ dedupe_key }) => dedupe_key),
    );
    const { mode, reason } = deps.sinkMode(current);
    const checks: Check[] = [
      declaredCheck(current),
      auditRunCheck(run),
      reviewCheck(latest),
      { name: 'issue_core', ...asked.check },
      sinkTypeCheck(deps.sinkMode),
    ];
    return {
      definition_id: definitionId,
      definition_hash,
      file: findFile(deps.definitionsDir, definitionId),
      emit: definition.emit,
      sink_mode: mode,
      sink_reason: reason,
      ready: mode === 'live' || checks.every(({ ok }) => ok),
      checks,
      run,
      review: latest,
      tasks: made.map((task) => ({ ...task, open: asked.openOf(task.dedupe_key) })),
      change: definition.emit === 'audit' ? ({ path: 'emit', from: 'audit', to: 'live' } as const) : null,
    };
  };
}

/** A revision that differs in `emit` alone has another hash, and the same content. */
async function findAuditRunOf(
  pool: Pool,
  definitionId: string,
  contentHash: string,
): Promise<RunView | null> {
  const revisions = await listRevisions(pool, definitionId, REVISIONS_SEARCHED);
  const hashes = revisions
    .filter(({ document }) => reviewedContentHash(document) === contentHash)
    .map(({ definition_hash }) => definition_hash);
  const runId = await findAuditRun(pool, definitionId, hashes);
  return runId === null ? null : findRun(pool, runId);
}

/** A definition stands in the file of its name; where there is none yet, it would be this one. */
function findFile(definitionsDir: string, id: string): string {
  const folder = shownFolder(definitionsDir);
  const [usual, other] = [join(folder, `${id}.yaml`), join(folder, `${id}.yml`)];
  return !existsSync(usual) && existsSync(other) ? other : usual;
}

function declaredCheck({ definition, paused, pause_reason, problem }: ActiveDefinition): Check {
  const name = 'declared';
  if (problem) return { name, ok: false, message: `this version cannot run it: ${problem}` };
  if (!definition.enabled) return { name, ok: false, message: 'it is disabled' };
  const message = paused
    ? `it is declared and enabled, and paused: ${pause_reason}`
    : 'it is declared and enabled';
  return { name, ok: true, message };
}

function auditRunCheck(run: RunView | null): Check {
  const name = 'audit_run';
  if (!run) return { name, ok: false, message: 'no completed audit run of this content has made a spec' };
  const specs = run.task_count === 1 ? '1 spec' : `${run.task_count} specs`;
  return { name, ok: true, message: `run ${run.run_id} made ${specs} on ${run.started_at}` };
}

function reviewCheck(latest: Review | null): Check {
  const name = 'review';
  if (!latest) return { name, ok: false, message: 'nobody has reviewed a run of this content' };
  const { verdict, reviewer, reviewed_at, run_id, note } = latest;
  const message = `${reviewer} ${verdict} run ${run_id} on ${reviewed_at}${note ? `: ${note}` : ''}`;
  return { name, ok: verdict === 'approved', message };
}

function sinkTypeCheck(sinkMode: DecideSinkMode): Check {
  const { mode } = sinkMode({ definition: { emit: 'live' }, approved: true });
  const message =
    mode === 'live'
      ? 'ISSUE_SINK_TYPE is issue-core'
      : 'ISSUE_SINK_TYPE is null: set ISSUE_SINK_TYPE=issue-core and restart the service';
  return { name: 'sink_type', ok: mode === 'live', message };
}
