/** `POST /api/v1/runs/{run_id}/feedback`: what a person says of a run that is over (calibration). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Pool } from '../store/pool.ts';
import { insertFeedback } from '../store/run-feedback.ts';
import { findRun } from '../store/run-views.ts';
import type { Logger } from '../telemetry/logger.ts';
import { pathUuid, storableText } from './inputs.ts';
import { timestamp, uuidText } from './outputs.ts';
import { Problem, problems } from './problem.ts';
import { requestedBy, retryHeaders } from './request-headers.ts';
import { runIdOf, runNotFound } from './run-id.ts';

const VERDICTS = ['useful', 'noisy', 'wrong'] as const;

export const feedback = z.object({
  run_id: uuidText,
  definition_id: z.string(),
  definition_hash: z.string(),
  scheduled_for: timestamp.nullable().describe('null where the run was no tick’s'),
  verdict: z.enum(VERDICTS),
  note: z.string().nullable(),
  requested_by: z.string(),
  at: timestamp,
  state_hub: z
    .enum(['not_configured', 'pending', 'posted'])
    .describe('Whether State Hub has it; `not_configured` where there was none when it was given'),
});

export const feedbackExample = {
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  definition_id: 'daily-statehub-wsjf-triage',
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
  scheduled_for: '2026-11-20T06:00:00Z',
  verdict: 'useful',
  note: 'the two stale items were news to us',
  requested_by: 'ana',
  at: '2026-11-20T09:00:00.1Z',
  state_hub: 'pending',
};

const body = z
  .strictObject({
    verdict: z.enum(VERDICTS),
    note: storableText(2000)
      .regex(/\S/, 'expected a text that is not blank')
      .optional()
      .describe('Why, for the record'),
  })
  .meta({ examples: [{ verdict: 'useful', note: feedbackExample.note }] });

const params = z.object({ run_id: pathUuid });

export interface FeedbackRoutesDeps {
  pool: Pool;
  logger: Logger;
  /** Whether STATE_HUB_URL is set. */
  hasStateHub: boolean;
}

export function feedbackRoutes(deps: FeedbackRoutesDeps): FastifyPluginAsyncZod {
  const { pool, logger, hasStateHub: for_state_hub } = deps;
  return async (app) => {
    app.post(
      '/runs/:run_id/feedback',
      {
        schema: {
          summary: 'Give feedback on a run',
          description:
            'What a person says of a run that is over, whatever its status. Several are kept, and the newest counts. State Hub ' +
            'gets each one as progress `daily_triage_calibration`, later where it does not answer.',
          tags: ['runs'],
          params,
          querystring: z.strictObject({}),
          headers: retryHeaders,
          body,
          response: {
            200: feedback.meta({ examples: [feedbackExample] }),
            ...problems('not_found', 'wrong_state'),
          },
        },
      },
      async (request) => {
        const id = runIdOf(request.params.run_id);
        const { verdict, note = null } = request.body;
        const requested_by = requestedBy(request.headers);
        const given = await insertFeedback(pool, id, { verdict, note, requested_by, for_state_hub });
        if (!given) throw await refusal(pool, id);
        logger.info(
          { run_id: id, definition_id: given.definition_id, verdict, requested_by },
          'a run got feedback',
        );
        return given;
      },
    );
  };
}

async function refusal(pool: Pool, runId: string): Promise<Problem> {
  if (!(await findRun(pool, runId))) return runNotFound(runId);
  return new Problem('wrong_state', 'the run is running; feedback can be given when it has ended');
}
