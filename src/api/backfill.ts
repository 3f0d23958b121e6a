import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { decidesAtOnce } from '../bridge/dispatch.ts';
import { startDispatches } from '../bridge/start-dispatches.ts';
import {
  type BackfillItem,
  type BackfillPlan,
  insertBackfill,
  MOST_TIMES,
  planBackfill,
} from '../schedules/backfill.ts';
import { type Queryable, rehearsal, transaction } from '../store/pool.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { findDefinition } from './find-definition.ts';
import { dryRunFlag, idText, inUtc, storableText, timeText } from './inputs.ts';
import { timestamp, uuidText } from './outputs.ts';
import { Problem, problems } from './problem.ts';
import { requestedBy, retryHeaders } from './request-headers.ts';
import { refuseDisabled, type StartRunDeps } from './start-run.ts';

export interface BackfillRoutesDeps extends StartRunDeps {
  metrics: Metrics;
}

const body = z
  .strictObject({
    from: timeText.describe('The first time that counts'),
    to: timeText.optional().describe('The last time that counts, at most now; without it, now'),
    max: z.int().min(1).max(MOST_TIMES).default(100).describe('How many runs to start at most'),
    dry_run: dryRunFlag,
    reason: storableText(1000).optional().describe('Why, for the record; `backfill` unless given'),
  })
  .meta({ examples: [{ from: '2026-11-19T00:00:00Z', to: '2026-11-20T08:00:00Z', dry_run: true }] });

const counts = z.object({
  definition_id: z.string(),
  from: timestamp,
  to: timestamp,
  ticks: z.int().describe('Times of the schedule between `from` and `to`, both included'),
  have_runs: z.int().describe('Those that have a run, also a failed one; a `missed` one does not count'),
  pending: z.int().describe('Ticks that may still start by themselves'),
});
const rest = {
  remaining: z.int().describe('Those beyond `max`: the same request again goes on'),
  items: z.array(
    z.object({
      scheduled_for: timestamp,
      run_id: uuidText.nullable(),
      action: z.enum(['start', 'has_run', 'pending', 'later']),
    }),
  ),
};
const preview = counts.extend({ would_start: z.int(), ...rest });
const backfilled = counts.extend({ started: z.int(), ...rest });

const run_id = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';
const example = {
  definition_id: 'hourly-coach-orientation',
  from: '2026-11-20T06:00:00Z',
  to: '2026-11-20T08:00:00Z',
  ticks: 2,
  have_runs: 1,
  pending: 0,
};
const missing = { scheduled_for: '2026-11-20T06:15:00Z', action: 'start' };
const standing = { scheduled_for: '2026-11-20T07:15:00Z', run_id, action: 'has_run' };
const previewExample = {
  ...example,
  would_start: 1,
  remaining: 0,
  items: [{ ...missing, run_id: null }, standing],
};
const startedExample = { ...example, started: 1, remaining: 0, items: [{ ...missing, run_id }, standing] };

export function backfillRoutes(deps: BackfillRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/definitions/:definition_id/backfill',
      {
        schema: {
          summary: 'Start the runs that a schedule missed',
          description:
            'Starts a run by hand, oldest first, for each time of the current schedule that has none, also for times ' +
            'before the schedule existed; with `dry_run`, only says which. Sent again, it starts nothing twice. ' +
            'Ticks keep their outcome. A pause does not stop it.',
          tags: ['definitions'],
          params: z.object({ definition_id: idText }),
          querystring: z.strictObject({}),
          headers: retryHeaders,
          body,
          response: {
            200: preview.describe('What would be started').meta({ examples: [previewExample] }),
            202: backfilled
              .meta({ examples: [startedExample] })
              .describe('The runs’ rows exist, their workflows start'),
            ...problems('not_found', 'definition_disabled', 'wrong_state'),
          },
        },
      },
      async (request, reply) => {
        const active = findDefinition(await deps.registry.current(), request.params.definition_id);
        const { definition, definition_id, definition_hash } = active;
        const { schedule } = definition.trigger;
        if (!schedule) throw new Problem('wrong_state', `${definition_id} has no schedule to backfill`);
        const { dry_run, reason, from, to, max } = request.body;
        const range = { from: inUtc(from), ...(to === undefined ? {} : { to: inUtc(to) }), max };
        const plan = (client: Queryable) => planOrRefuse(client, { definition_id, schedule, ...range });
        if (dry_run) {
          const { start, ...shown } = answerOf(definition_id, await rehearsal(deps.pool, plan));
          return { ...shown, would_start: start };
        }
        refuseDisabled(active);
        const { mode, reason: sink_reason } = deps.sinkMode(active);
        const { planned, dispatchIds } = await transaction(deps.pool, async (client) => {
          const planned = await plan(client);
          const dispatchIds = await insertBackfill(client, planned, {
            definition_id,
            definition_hash,
            sink_mode: mode,
            sink_reason,
            requested_by: requestedBy(request.headers),
            trigger_reason: reason ?? 'backfill',
            shared: decidesAtOnce(active, deps.resolvers),
          });
          return { planned, dispatchIds };
        });
        deps.metrics.ticks.inc({ definition_id, outcome: 'paused' }, planned.pausedTicks);
        await startDispatches(deps, dispatchIds);
        const { start, ...shown } = answerOf(definition_id, planned);
        return reply.code(202).send({ ...shown, started: start });
      },
    );
  };
}

async function planOrRefuse(
  client: Queryable,
  range: Parameters<typeof planBackfill>[1],
): Promise<BackfillPlan> {
  const plan = await planBackfill(client, range);
  if (plan.ok) return plan;
  const { field, message } = plan;
  throw new Problem('invalid_request', `${field}: ${message}`, {
    violations: [{ pointer: `/${field}`, message }],
  });
}

function answerOf(definition_id: string, { from, to, items }: BackfillPlan) {
  const count = (wanted: BackfillItem['action']) => items.filter(({ action }) => action === wanted).length;
  return {
    definition_id,
    from,
    to,
    ticks: items.length,
    have_runs: count('has_run'),
    pending: count('pending'),
    start: count('start'),
    remaining: count('later'),
    items,
  };
}
