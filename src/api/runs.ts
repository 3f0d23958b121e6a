import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Pool } from '../store/pool.ts';
import { listFeedbackOfRun } from '../store/run-feedback.ts';
import { listReviewsOfRun } from '../store/run-reviews.ts';
import { findLaterRetry, findRun, listRuns, TRIGGER_KINDS } from '../store/run-views.ts';
import { RUN_STATUSES } from '../store/runs.ts';
import { listTasksOfRun } from '../store/task-spawn-log.ts';
import { dryRunAnswer, ruleExample } from './dry-run.ts';
import { feedback, feedbackExample } from './feedback.ts';
import { dryRunFlag, idText, pageQuery, pathUuid, time } from './inputs.ts';
import { jsonObject, listOf, ruleTrace, runError, started, timestamp, uuidText } from './outputs.ts';
import { problems } from './problem.ts';
import { requestedBy, retryHeaders } from './request-headers.ts';
import { createRetries, type RetryDeps } from './retry-run.ts';
import { review, reviewExample } from './reviews.ts';
import { runIdOf, runNotFound } from './run-id.ts';
import { instructionRecord, reportRecord } from './run-outputs.ts';
import { task, taskExample } from './tasks.ts';

export interface RunRoutesDeps extends RetryDeps {
  pool: Pool;
}

export const run = z.object({
  run_id: uuidText,
  definition_id: z.string(),
  definition_hash: z.string(),
  trigger: z
    .object({
      kind: z.enum(TRIGGER_KINDS),
      event_id: z.string().optional(),
      event_uid: uuidText.optional(),
      scheduled_for: timestamp.optional(),
      requested_by: z.string().optional(),
      reason: z.string().optional(),
    })
    .catchall(z.any()),
  status: z.enum(RUN_STATUSES),
  task_count: z.int(),
  sink_mode: z.enum(['audit', 'live']),
  sink_reason: z.string().nullable(),
  review_required: z.boolean(),
  retry_of: uuidText.nullable(),
  traceparent: z.string().nullable().describe('W3C Trace Context of the event that triggered it'),
  temporal: z.object({ workflow_id: z.string(), run_id: z.string().nullable() }).nullable(),
  started_at: timestamp,
  finished_at: timestamp.nullable(),
  error: runError.nullable(),
});

const wholeRun = run.extend({
  context: jsonObject.nullable(),
  rules: z.array(ruleTrace),
  instructions: z.array(instructionRecord),
  reports: z.array(reportRecord),
  tasks: z.array(task),
  reviews: z.array(review).describe('What people said of it, newest first'),
  feedback: z.array(feedback).describe('Whether it was worth reading, newest first; the newest counts'),
  retried_as: z
    .object({ run_id: uuidText, status: z.enum(RUN_STATUSES), started_at: timestamp })
    .nullable()
    .describe('The newest later run in its chain of retries; null where there is none'),
});

export const runExample = {
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  definition_id: 'low-success-rate-review',
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
  trigger: {
    kind: 'event',
    event_id: '01JDZ8X6QY3V9W4T1N2M7K5R0B',
    event_uid: '0d4f2f3a-8f0b-5a53-8d8e-5b1a2c3d4e5f',
  },
  status: 'completed',
  task_count: 1,
  sink_mode: 'audit',
  sink_reason: 'the definition says emit: audit',
  review_required: false,
  retry_of: null,
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  temporal: {
    workflow_id: '3f6a3a1e-6f8e-4b58-9d0b-7a2f9f0d2f11',
    run_id: '0193475e-7b1c-7c3e-9a57-1f2e3d4c5b6a',
  },
  started_at: '2026-11-20T08:15:00.25Z',
  finished_at: '2026-11-20T08:15:00.31Z',
  error: null,
};

const wholeExample = {
  ...runExample,
  context: { metrics: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } } },
  rules: [ruleExample],
  instructions: [],
  reports: [],
  tasks: [taskExample],
  reviews: [reviewExample],
  feedback: [{ ...feedbackExample, definition_id: runExample.definition_id, scheduled_for: null }],
  retried_as: null,
};

const query = z.strictObject({
  definition_id: idText.optional(),
  status: z.enum(RUN_STATUSES).optional(),
  trigger: z.enum(TRIGGER_KINDS).optional(),
  event_id: idText.optional(),
  since: time.optional().describe('Started at this time or later'),
  until: time.optional().describe('Started before this time'),
  ...pageQuery,
});

const params = z.object({ run_id: pathUuid });
const retryBody = z.strictObject({ dry_run: dryRunFlag }).meta({ examples: [{ dry_run: true }] });
const tags = ['runs'];

export function runRoutes(deps: RunRoutesDeps): FastifyPluginAsyncZod {
  const retries = createRetries(deps);
  return async (app) => {
    app.get(
      '/runs',
      {
        schema: {
          summary: 'List runs',
          description: 'Newest first.',
          tags,
          querystring: query,
          response: { 200: listOf(run, runExample), ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor, ...filter } = request.query;
        return listRuns(deps.pool, filter, { limit, cursor });
      },
    );

    app.get(
      '/runs/:run_id',
      {
        schema: {
          summary: 'Show a run',
          description:
            'The run, whole: what it saw, what each rule came to, the tasks that it made, its reviews, the feedback on it, ' +
            'and the run that retried it.',
          tags,
          params,
          querystring: z.strictObject({}),
          response: { 200: wholeRun.meta({ examples: [wholeExample] }), ...problems('not_found') },
        },
      },
      async (request) => {
        const id = runIdOf(request.params.run_id);
        // First: what came with it is there for each statement after it, so that no run that is over lacks its tasks.
        const found = await findRun(deps.pool, id);
        if (!found) throw runNotFound(id);
        const [tasks, reviews, given, retried_as] = await Promise.all([
          listTasksOfRun(deps.pool, id),
          listReviewsOfRun(deps.pool, id),
          listFeedbackOfRun(deps.pool, id),
          findLaterRetry(deps.pool, id),
        ]);
        return { ...found, tasks, reviews, feedback: given, retried_as };
      },
    );

    app.post(
      '/runs/:run_id/retry',
      {
        schema: {
          summary: 'Retry a failed run',
          description:
            'A failed run again, on the current revision, as a new run with `retry_of`. Tasks that exist are not repeated.',
          tags,
          params,
          querystring: z.strictObject({}),
          headers: retryHeaders,
          body: retryBody,
          response: {
            200: dryRunAnswer,
            202: started.describe('The new run’s row exists, its workflow starts'),
            ...problems('not_found', 'wrong_state', 'definition_disabled', 'definition_paused'),
          },
        },
      },
      async (request, reply) => {
        const id = runIdOf(request.params.run_id);
        if (request.body.dry_run) return retries.rehearse(id);
        return reply.code(202).send(await retries.start(id, requestedBy(request.headers)));
      },
    );
  };
}
