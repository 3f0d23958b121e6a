/** What applying DEFINITIONS_DIR would change, and doing it. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { applyPlannedFolder, type FolderDeps, planFolder } from '../schedules/plan-folder.ts';
import type { Logger } from '../telemetry/logger.ts';
import { jsonValue, timestamp } from './outputs.ts';
import { definitionError, definitionWarning, problems } from './problem.ts';

export interface PlanRoutesDeps extends FolderDeps {
  logger: Logger;
}

const fields = z.array(
  z.object({
    path: z.string().describe('As in `trigger.schedule.cron`'),
    from: jsonValue.describe('null where there is nothing'),
    to: jsonValue,
  }),
);

const plan = z.object({
  changes: z.array(
    z.object({
      definition_id: z.string(),
      action: z
        .enum(['create', 'update', 'enable', 'disable', 'prune', 'drift'])
        .describe('`drift`: somebody changed the schedule in Temporal by hand'),
      fields,
      next_fire_times: z.array(timestamp).describe('At most five; none where nothing will fire'),
      timezone: z.string().nullable().describe('Of the schedule'),
      emit: z.enum(['audit', 'live']).nullable().describe('What it says; null where nothing will run'),
      sink_mode: z.enum(['audit', 'live']).nullable().describe('What its runs will be'),
      sink_reason: z.string().nullable().describe('Why they will be `audit`'),
    }),
  ),
  event_types: z.array(z.object({ type: z.string(), action: z.enum(['create', 'update', 'prune']), fields })),
  errors: z.array(definitionError).describe('With one of them there are no changes'),
  warnings: z.array(definitionWarning).describe('What works, if perhaps not as it is meant'),
});

const example = {
  changes: [
    {
      definition_id: 'hourly-coach-orientation',
      action: 'update',
      fields: [{ path: 'trigger.schedule.cron', from: '0 * * * *', to: '15 * * * *' }],
      next_fire_times: [
        '2026-11-20T08:15:00Z',
        '2026-11-20T09:15:00Z',
        '2026-11-20T10:15:00Z',
        '2026-11-20T11:15:00Z',
        '2026-11-20T12:15:00Z',
      ],
      timezone: 'UTC',
      emit: 'audit',
      sink_mode: 'audit',
      sink_reason: 'the definition says emit: audit',
    },
  ],
  event_types: [{ type: 'kaizen.metrics.recorded', action: 'create', fields: [] }],
  errors: [],
  warnings: [],
};

const tags = ['definitions'];

export function planRoutes(deps: PlanRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/plan',
      {
        schema: {
          summary: 'Plan',
          description:
            'How the files of DEFINITIONS_DIR differ from what PostgreSQL and Temporal hold. Nothing is changed.',
          tags,
          querystring: z.strictObject({}),
          response: { 200: plan.meta({ examples: [example] }), ...problems() },
        },
      },
      () => planFolder(deps, Date.now()),
    );

    app.post(
      '/plan/apply',
      {
        schema: {
          summary: 'Apply the plan',
          description:
            'Makes the files of DEFINITIONS_DIR the applied ones and answers with what it did; one invalid file applies ' +
            'nothing. A pause that was made in Temporal by hand is kept. Sent again, it does what is left to do.',
          tags,
          querystring: z.strictObject({}),
          body: z.strictObject({}).meta({ examples: [{}] }),
          response: {
            200: plan.meta({ examples: [example] }),
            ...problems('invalid_definitions', 'wrong_state'),
          },
        },
      },
      async () => {
        const done = await applyPlannedFolder(deps, Date.now());
        for (const { definition_id, emit, sink_mode, sink_reason } of done.changes) {
          if (emit === 'live' && sink_mode === 'audit')
            deps.logger.warn({ definition_id, sink_reason }, 'a definition says emit: live and stays audit');
        }
        return done;
      },
    );
  };
}
