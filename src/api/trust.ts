/** `GET /api/v1/trust/{definition_id}`: whether the newest scheduled runs can be relied on, and why. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Trust, TrustTick } from '../trust/evidence.ts';
import type { ReadTrust } from '../trust/read-trust.ts';
import { definitionNotFound } from './find-definition.ts';
import { idText } from './inputs.ts';
import { timestamp, uuidText } from './outputs.ts';
import { problems } from './problem.ts';

export interface TrustRoutesDeps {
  readTrust: ReadTrust;
}

const evidence = z.object({
  ok: z.boolean(),
  detail: z.string().describe('What was found, or what is missing or disagrees'),
  needed: z.boolean().describe('False where the revision declares no such report'),
  unchecked: z
    .string()
    .nullable()
    .describe('Why it could not be looked at again just now: it stands as it was collected'),
});

const tick = z.object({
  scheduled_for: timestamp,
  state: z
    .enum(['clean', 'dirty', 'missed', 'pending'])
    .describe('`missed` is also one that was overlapped or paused; `pending` may still become clean'),
  run_id: uuidText.nullable(),
  evidence: z
    .object({
      temporal_history: evidence.describe('The workflow’s history completed, for this time'),
      activity_run: evidence.describe('The run’s row'),
      state_hub_progress: evidence.describe('Progress at State Hub with this run’s id'),
      working_memory_note: evidence.describe('The note on disk with this run’s id'),
    })
    .describe('Each from its own system'),
  collected_at: timestamp.nullable().describe('When it was stored; null where it is not'),
  evidence_hash: z.string().nullable().describe('SHA-256 of what was stored, as canonical JSON'),
  reason: z.string().nullable().describe('Why it is not clean'),
});

const trust = z.object({
  definition_id: z.string(),
  required: z.int().describe('How many of the newest ticks in a row have to be clean'),
  trusted: z.boolean(),
  scheduled: z.boolean().describe('False: trust is about the ticks of a schedule, and it has none'),
  reason: z.string().describe('Why it is trusted, or what is in the way'),
  clean_streak: z
    .int()
    .describe('How many of the newest ticks in a row are clean; one that is pending is left out'),
  feedback: z
    .object({ run_id: uuidText, verdict: z.string(), at: timestamp })
    .nullable()
    .describe('Calibration feedback on one of these runs'),
  ticks: z.array(tick).describe('Newest first. Runs by hand, UI triggers and backfills are not among them'),
});

const FIRST_RUN = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';

const example: Trust = {
  definition_id: 'daily-statehub-wsjf-triage',
  required: 3,
  trusted: true,
  scheduled: true,
  reason: `the last 3 scheduled runs are clean, and run ${FIRST_RUN} was called useful at 2026-11-20T09:00:00.1Z`,
  clean_streak: 3,
  feedback: { run_id: FIRST_RUN, verdict: 'useful', at: '2026-11-20T09:00:00.1Z' },
  ticks: [
    cleanTick('2026-11-20', FIRST_RUN),
    cleanTick('2026-11-19', 'f2b7c1de-93a4-5c06-8d57-3e1b0a9c6d22'),
    cleanTick('2026-11-18', '0b9d4e7a-6c15-5f38-9a42-7d8e2f1c5b33'),
  ],
};

const query = z.strictObject({
  required: z.coerce
    .number('expected a whole number from 1 to 100')
    .int('expected a whole number from 1 to 100')
    .min(1, 'expected a whole number from 1 to 100')
    .max(100, 'expected a whole number from 1 to 100')
    .default(3)
    .describe('How many of the newest ticks in a row have to be clean, 1 to 100'),
});

export function trustRoutes({ readTrust }: TrustRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/trust/:definition_id',
      {
        schema: {
          summary: 'Can the scheduled runs be trusted',
          description:
            'Trusted: the newest ticks, as many as `required`, are consecutive and clean, and one of them has feedback. What was ' +
            'stored of each tick is checked again, as far as it can still be fetched; where it cannot, `detail` says so.',
          tags: ['ticks'],
          params: z.object({ definition_id: idText }),
          querystring: query,
          response: { 200: trust.meta({ examples: [example] }), ...problems('not_found') },
        },
      },
      async (request) => {
        const { definition_id } = request.params;
        const found = await readTrust(definition_id, request.query.required);
        if (!found) throw definitionNotFound(definition_id);
        return found;
      },
    );
  };
}

function cleanTick(date: string, runId: string): TrustTick {
  const found = (detail: string) => ({ ok: true, detail, needed: true, unchecked: null });
  return {
    scheduled_for: `${date}T06:00:00Z`,
    state: 'clean',
    run_id: runId,
    evidence: {
      temporal_history: found('the workflow completed'),
      activity_run: found('the run completed'),
      state_hub_progress: found('progress daily_triage has this run’s id'),
      working_memory_note: found(`daily-triage-${date}.md has this run’s id, and is as it was written`),
    },
    collected_at: `${date}T06:00:09.25Z`,
    evidence_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
    reason: null,
  };
}
