import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Definition, ScheduleTrigger } from '../core/definition.ts';
import { nextFireTimes } from '../core/fire-times.ts';
import type { ActiveDefinition } from '../definitions/applied-registry.ts';
import type { Pool } from '../store/pool.ts';
import { readLastRuns } from '../store/run-views.ts';
import { readPausesByHand } from '../store/schedules.ts';
import { dryRunAnswer } from './dry-run.ts';
import { findDefinition } from './find-definition.ts';
import { idText, pageQuery } from './inputs.ts';
import { listOf, started, timestamp, uuidText } from './outputs.ts';
import { pageByName } from './page-by-name.ts';
import { problems } from './problem.ts';
import { requestedBy, requestHeaders } from './request-headers.ts';
import { createManualRuns, type StartRunDeps, startRunBody } from './start-run.ts';

export interface DefinitionRoutesDeps extends StartRunDeps {
  pool: Pool;
}

const schedulePolicy = z.object({
  cron: z.string().nullable(),
  every: z.string().nullable(),
  timezone: z.string(),
  overlap: z.enum(['skip', 'buffer_one', 'buffer_all', 'allow_all']),
  catchup_window: z.string(),
  jitter: z.string(),
});

export const definitionItem = z.object({
  definition_id: z.string(),
  title: z.string(),
  owner: z.string(),
  enabled: z.boolean(),
  paused: z.boolean(),
  pause_reason: z.string().nullable(),
  definition_hash: z.string().describe('SHA-256 of the canonical JSON of `document`'),
  problem: z.string().nullable().describe('Why this version of the service cannot run it'),
  trigger: z.custom<Definition['trigger']>().meta({ type: 'object', additionalProperties: true }),
  emit: z.enum(['audit', 'live']),
  sink_mode: z.enum(['audit', 'live']),
  sink_reason: z.string().nullable(),
  last_run: z.object({ run_id: uuidText, status: z.string(), started_at: timestamp }).nullable(),
  next_run: timestamp.nullable().describe('When the schedule is due next; null where it will not run'),
  schedule: schedulePolicy.nullable().describe('The policy with its defaults; null without a schedule'),
  document: z.custom<Definition>().meta({ type: 'object', additionalProperties: true }),
});

type DefinitionItem = z.output<typeof definitionItem>;

const trigger = {
  event: { type: 'kaizen.metrics.recorded', filter: 'event.attributes.project != "sandbox"' },
};
export const definitionExample = {
  definition_id: 'low-success-rate-review',
  title: 'Review an agent whose success rate dropped',
  owner: 'kaizen',
  enabled: true,
  paused: false,
  pause_reason: null,
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
  problem: null,
  trigger,
  emit: 'audit',
  sink_mode: 'audit',
  sink_reason: 'the definition says emit: audit',
  last_run: {
    run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
    status: 'completed',
    started_at: '2026-11-20T08:15:00.25Z',
  },
  next_run: null,
  schedule: null,
  document: { id: 'low-success-rate-review', title: 'Review an agent whose success rate dropped', trigger },
};

const params = z.object({ definition_id: idText });
const tags = ['definitions'];

export function definitionRoutes(deps: DefinitionRoutesDeps): FastifyPluginAsyncZod {
  const runs = createManualRuns(deps);
  return async (app) => {
    app.get(
      '/definitions',
      {
        schema: {
          summary: 'List the definitions',
          description: 'Those that are applied now, ordered by id.',
          tags,
          querystring: z.strictObject(pageQuery),
          response: { 200: listOf(definitionItem, definitionExample), ...problems() },
        },
      },
      async (request) => {
        const { definitions } = await deps.registry.current();
        const page = pageByName(definitions, ({ definition_id }) => definition_id, request.query);
        return { items: await toItems(deps, page.items), next_cursor: page.next_cursor };
      },
    );

    app.get(
      '/definitions/:definition_id',
      {
        schema: {
          summary: 'Show a definition',
          description: 'The revision that new runs use.',
          tags,
          params,
          querystring: z.strictObject({}),
          response: { 200: definitionItem.meta({ examples: [definitionExample] }), ...problems('not_found') },
        },
      },
      async (request) => {
        const found = findDefinition(await deps.registry.current(), request.params.definition_id);
        const [item] = await toItems(deps, [found]);
        return item!;
      },
    );

    app.post(
      '/definitions/:definition_id/runs',
      {
        schema: {
          summary: 'Run a definition by hand',
          description:
            'Starts a run, or with `dry_run` says what it would do. The event is checked like any other, the trigger’s ' +
            'filter is not applied, and the event does not enter the ledger. A pause does not stop a run by hand. ' +
            'Sent again with the same `Idempotency-Key`, the request gives the same run.',
          tags,
          params,
          querystring: z.strictObject({}),
          headers: requestHeaders,
          body: startRunBody,
          response: {
            200: dryRunAnswer,
            202: started.describe('The run’s row exists, its workflow starts'),
            ...problems(
              'invalid_event',
              'event_required',
              'not_found',
              'definition_disabled',
              'too_large',
              'idempotency_conflict',
            ),
          },
        },
      },
      async (request, reply) => {
        const { body, headers } = request;
        const run = {
          definitionId: request.params.definition_id,
          body,
          idempotencyKey: headers['idempotency-key'],
          requestedBy: requestedBy(headers),
        };
        if (body.dry_run) return runs.rehearse(run);
        return reply.code(202).send(await runs.start(run));
      },
    );
  };
}

export async function toItems(
  deps: DefinitionRoutesDeps,
  active: ActiveDefinition[],
): Promise<DefinitionItem[]> {
  const lastRuns = await readLastRuns(
    deps.pool,
    active.map(({ definition_id }) => definition_id),
  );
  const pausesByHand = await readPausesByHand(deps.pool);
  return active.map((each) => {
    const { definition, definition_id, definition_hash, problem, ...pause } = each;
    const { mode, reason } = deps.sinkMode(each);
    const { enabled, trigger } = definition;
    const { schedule } = trigger;
    const byHand = enabled && schedule ? pausesByHand.get(definition_id) : undefined;
    const paused = pause.paused || byHand !== undefined;
    const pause_reason = pause.pause_reason ?? (byHand ? `by hand in Temporal: ${byHand}` : null);
    return {
      definition_id,
      title: definition.title,
      owner: definition.owner,
      enabled,
      paused,
      pause_reason,
      definition_hash,
      problem,
      trigger,
      emit: definition.emit,
      sink_mode: mode,
      sink_reason: reason,
      last_run: lastRuns.get(definition_id) ?? null,
      next_run: enabled && !paused && schedule ? nextRun(schedule) : null,
      schedule: schedule ? { cron: null, every: null, ...schedule } : null,
      document: definition,
    };
  });
}

function nextRun(schedule: ScheduleTrigger): string | null {
  const [next] = nextFireTimes(schedule, Date.now(), 1);
  return next === undefined ? null : new Date(next).toISOString().replace('.000Z', 'Z');
}
