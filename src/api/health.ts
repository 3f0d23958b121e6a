/** Health and metrics: open to everybody, served by every role. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { listOpenBreaches, type OpenBreach } from '../store/expectation-breaches.ts';
import type { Pool } from '../store/pool.ts';
import { readQuarantineBytes } from '../store/quarantine-volume.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type MeasureDeps, measure } from './measure.ts';
import { timestamp } from './outputs.ts';

export interface HealthDeps extends MeasureDeps {
  /** Prometheus text of the Temporal SDK; '' where there is none or it cannot be had. */
  temporalMetrics: () => Promise<string>;
  quarantineMaxBytes: number;
}

const readiness = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), message: z.string() })),
  expectations_breached: z.array(
    z.object({
      definition_id: z.string(),
      run_every: z.string(),
      last_completed_at: timestamp.nullable(),
      since: timestamp,
    }),
  ),
  notes: z.array(z.string()).describe('What somebody should look at although the process works'),
});

const ok = { ok: true, message: 'ok' };
const readyExample = {
  status: 'ready',
  checks: { postgres: ok, nats: ok, temporal: ok, definitions: ok },
  expectations_breached: [],
  notes: [],
};
const notReadyExample = {
  ...readyExample,
  status: 'not_ready',
  checks: { ...readyExample.checks, nats: { ok: false, message: 'not connected' } },
};

const breachedExample = {
  ...readyExample,
  expectations_breached: [
    {
      definition_id: 'daily-statehub-wsjf-triage',
      run_every: '26h',
      last_completed_at: '2026-11-19T06:00:07.25Z',
      since: '2026-11-20T08:00:07.25Z',
    },
  ],
};

const tags = ['health'];

export function healthRoutes(deps: HealthDeps): FastifyPluginAsyncZod {
  const { pool, metrics, checks, temporalMetrics } = deps;
  return async (app) => {
    app.get(
      '/healthz',
      {
        schema: {
          summary: 'Is the process alive',
          description: 'Answers as long as the process does.',
          tags,
          security: [],
          response: { 200: z.object({ status: z.literal('ok') }).meta({ examples: [{ status: 'ok' }] }) },
        },
      },
      async () => ({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        schema: {
          summary: 'Can the process work',
          description: '503 while one of the checks fails. A breached expectation or a note alone stays 200.',
          tags,
          security: [],
          response: {
            200: readiness.meta({ examples: [readyExample, breachedExample] }),
            503: readiness.meta({ examples: [notReadyExample] }),
          },
        },
      },
      async (request, reply) => {
        const found = await checks();
        const isReady = Object.values(found).every((check) => check.ok);
        const status = isReady ? ('ready' as const) : ('not_ready' as const);
        // Without PostgreSQL nobody knows, and the check says so.
        const [expectations_breached, notes] = found.postgres?.ok
          ? await Promise.all([readBreaches(pool, request.log), readNotes(deps, request.log)])
          : [[], []];
        return reply.code(isReady ? 200 : 503).send({ status, checks: found, expectations_breached, notes });
      },
    );

    app.get(
      '/metrics',
      {
        schema: {
          summary: 'Metrics',
          description: 'Prometheus text of the process, the Temporal SDK’s included.',
          tags,
          security: [],
          produces: ['text/plain'],
          response: { 200: z.string().meta({ examples: ['activity_core_outbox_pending 0'] }) },
        },
      },
      async (request, reply) => {
        const [temporal] = await Promise.all([temporalMetrics(), measure(deps, request.log)]);
        const own = await metrics.registry.metrics();
        return reply.type(metrics.registry.contentType).send(temporal ? `${own}\n${temporal}` : own);
      },
    );
  };
}

async function readBreaches(pool: Pool, logger: Pick<Logger, 'warn'>): Promise<OpenBreach[]> {
  try {
    return await listOpenBreaches(pool);
  } catch (error) {
    logger.warn({ err: error }, 'the breached expectations could not be read');
    return [];
  }
}

async function readNotes(
  { pool, quarantineMaxBytes }: HealthDeps,
  logger: Pick<Logger, 'warn'>,
): Promise<string[]> {
  try {
    const bytes = await readQuarantineBytes(pool);
    if (bytes < quarantineMaxBytes) return [];
    return [
      `quarantine is full (${bytes} bytes of ${quarantineMaxBytes}): what is refused is counted and not kept; redrive or discard, or raise QUARANTINE_MAX_BYTES`,
    ];
  } catch (error) {
    logger.warn({ err: error }, 'the volume of quarantine could not be read');
    return [];
  }
}
