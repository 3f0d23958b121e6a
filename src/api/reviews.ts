/** `POST /api/v1/runs/{run_id}/review`: a person's verdict on what a run made. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { reviewedContentHash } from '../core/reviewed-content.ts';
import {
  advanceRegistryVersion,
  findCurrentDefinition,
  findRevision,
  lockRegistry,
} from '../store/definitions.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { insertReview, type NewReview } from '../store/run-reviews.ts';
import { findRun, type RunDetail } from '../store/run-views.ts';
import type { Logger } from '../telemetry/logger.ts';
import { pathUuid, storableText } from './inputs.ts';
import { timestamp, uuidText } from './outputs.ts';
import { Problem, problems } from './problem.ts';
import { runIdOf, runNotFound } from './run-id.ts';

const VERDICTS = ['approved', 'rejected'] as const;

export const review = z.object({
  run_id: uuidText,
  definition_id: z.string(),
  definition_hash: z.string(),
  content_hash: z.string().describe('SHA-256 of the definition without `emit`: what the verdict is about'),
  verdict: z.enum(VERDICTS),
  reviewer: z.string(),
  note: z.string().nullable(),
  reviewed_at: timestamp,
});

export const reviewExample = {
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  definition_id: 'low-success-rate-review',
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
  content_hash: 'b1946ac92492d2347c6235b4d2611184a8f5f167f44f0b1d4f6f2e2c1d0b3a5e',
  verdict: 'approved',
  reviewer: 'ana',
  note: 'the right agent, the right repository',
  reviewed_at: '2026-11-20T09:00:00.1Z',
};

const newReview = review.extend({
  is_current_content: z.boolean().describe('The verdict is about what is applied now'),
});

const notBlank = (longest: number) => storableText(longest).regex(/\S/, 'expected a text that is not blank');
const body = z
  .strictObject({
    verdict: z.enum(VERDICTS),
    reviewer: notBlank(200).describe('Who answers for it'),
    note: notBlank(2000).optional().describe('Why, for the record'),
  })
  .meta({ examples: [{ verdict: 'approved', reviewer: 'ana', note: reviewExample.note }] });

const params = z.object({ run_id: pathUuid });

export function reviewRoutes(deps: { pool: Pool; logger: Logger }): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/runs/:run_id/review',
      {
        schema: {
          summary: 'Review a run',
          description:
            'A verdict on the specs of a run. With `emit: live`, a definition emits only where the latest verdict on its content ' +
            'is an approval. Only a completed run with a spec can be approved; an approval never expires.',
          tags: ['runs'],
          params,
          querystring: z.strictObject({}),
          body,
          response: {
            200: newReview.meta({ examples: [{ ...reviewExample, is_current_content: true }] }),
            ...problems('not_found', 'wrong_state'),
          },
        },
      },
      async (request) => {
        const id = runIdOf(request.params.run_id);
        const { verdict, reviewer, note = null } = request.body;
        const recorded = await transaction(deps.pool, (client) =>
          recordReview(client, id, { verdict, reviewer, note }),
        );
        const { run_id, definition_id } = recorded;
        deps.logger.info({ run_id, definition_id, verdict, reviewer }, 'a run was reviewed');
        return recorded;
      },
    );
  };
}

async function recordReview(
  client: Queryable,
  runId: string,
  verdict: Pick<NewReview, 'verdict' | 'reviewer' | 'note'>,
) {
  await lockRegistry(client);
  const run = await findRun(client, runId);
  if (!run) throw runNotFound(runId);
  refuseUnreviewable(run, verdict.verdict);
  const { definition_id, definition_hash } = run;
  const revision = await findRevision(client, definition_id, definition_hash);
  if (!revision) throw new Problem('wrong_state', `the revision ${definition_hash} of the run is not stored`);
  const content_hash = reviewedContentHash(revision);
  const { review_id: _id, ...recorded } = await insertReview(client, {
    run_id: runId,
    definition_id,
    definition_hash,
    content_hash,
    ...verdict,
  });
  await advanceRegistryVersion(client);
  const current = await findCurrentDefinition(client, definition_id);
  const is_current_content = current !== null && reviewedContentHash(current.document) === content_hash;
  return { ...recorded, is_current_content };
}

function refuseUnreviewable({ status, task_count }: RunDetail, verdict: NewReview['verdict']): void {
  if (status === 'running')
    throw new Problem('wrong_state', 'the run is running; it can be reviewed when it has ended');
  if (verdict === 'rejected') return;
  if (status !== 'completed')
    throw new Problem('wrong_state', `the run is ${status}; only a completed run can be approved`);
  if (task_count === 0)
    throw new Problem('wrong_state', 'the run made no task spec; only a run with one can be approved');
}
