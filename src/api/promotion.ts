/** `GET /api/v1/definitions/{id}/promotion`: how far a definition is on its way from audit to live. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { idText } from './inputs.ts';
import { problems } from './problem.ts';
import { CHECKS, createReadPromotion, type PromotionDeps } from './read-promotion.ts';
import { review, reviewExample } from './reviews.ts';
import { run, runExample } from './runs.ts';
import { task, taskExample } from './tasks.ts';

const promotion = z.object({
  definition_id: z.string(),
  definition_hash: z.string(),
  file: z.string().describe('The file in DEFINITIONS_DIR that declares it'),
  emit: z.enum(['audit', 'live']),
  sink_mode: z.enum(['audit', 'live']),
  sink_reason: z.string().nullable(),
  ready: z.boolean().describe('Nothing is left but the line in the file; also where it is live already'),
  checks: z.array(z.object({ name: z.enum(CHECKS), ok: z.boolean(), message: z.string() })),
  run: run.nullable().describe('The last completed audit run of this content that made a spec'),
  review: review.nullable().describe('The latest verdict on this content'),
  tasks: z
    .array(
      task.extend({
        open: z
          .array(z.object({ ref: z.string() }))
          .nullable()
          .describe('The open tasks that issue-core has under its dedupe_key; null where it was not asked'),
      }),
    )
    .describe('What the run made'),
  change: z
    .object({ path: z.literal('emit'), from: z.literal('audit'), to: z.literal('live') })
    .nullable()
    .describe('What to change in the file; null where it says so already'),
});

const example = {
  definition_id: runExample.definition_id,
  definition_hash: runExample.definition_hash,
  file: 'definitions/low-success-rate-review.yaml',
  emit: 'audit',
  sink_mode: 'audit',
  sink_reason: 'the definition says emit: audit',
  ready: true,
  checks: [
    { name: 'declared', ok: true, message: 'it is declared and enabled' },
    { name: 'audit_run', ok: true, message: `run ${runExample.run_id} made 1 spec` },
    { name: 'review', ok: true, message: 'ana approved it' },
    { name: 'issue_core', ok: true, message: 'it answers, and takes our token' },
    { name: 'sink_type', ok: true, message: 'ISSUE_SINK_TYPE is issue-core' },
  ],
  run: runExample,
  review: reviewExample,
  tasks: [{ ...taskExample, open: [] }],
  change: { path: 'emit', from: 'audit', to: 'live' },
};

export function promotionRoutes(deps: PromotionDeps): FastifyPluginAsyncZod {
  const readPromotion = createReadPromotion(deps);
  return async (app) => {
    app.get(
      '/definitions/:definition_id/promotion',
      {
        schema: {
          summary: 'What a promotion to live needs',
          description:
            'The last audit run, its specs, what issue-core has open for their dedupe keys, the review, and what is left to do. ' +
            'issue-core is only asked; nothing is created or changed.',
          tags: ['definitions'],
          params: z.object({ definition_id: idText }),
          querystring: z.strictObject({}),
          response: { 200: promotion.meta({ examples: [example] }), ...problems('not_found') },
        },
      },
      (request) => readPromotion(request.params.definition_id),
    );
  };
}
