/** The operator's page with answers of the test's own in place of a service: what is said, when, and to whom. */
import fastify, { type FastifyReply } from 'fastify';
import { operatorPage } from '../../src/api/operator-page.ts';
import { setSecurityHeaders } from '../../src/api/security-headers.ts';

type Json = Record<string, unknown>;
/** An answer's body; or what answers itself. */
export type Said = Json | ((reply: FastifyReply) => unknown);

export interface PageAnswers extends AsyncDisposable {
  url: string;
  /** What is needed under /api; null: nothing is. */
  token: string | null;
  readiness: Said;
  overview: Said;
  /** By definition. */
  trust: Record<string, Said>;
  /** Of every id. */
  run: Said;
}

const ok = { ok: true, message: 'ok' };
export const READY = {
  status: 'ready',
  checks: { postgres: ok, nats: { ok: true, message: 'consuming' }, temporal: ok, definitions: ok },
  expectations_breached: [],
  notes: [],
};

/** Of a service with nothing to tell, at `as_of`. */
export const quietOverview = (as_of: string) => ({
  as_of,
  version: '0.1.0',
  temporal_ui: { url: null, namespace: 'default' },
  lag: { messages: 0, message: 'ok', is_pulled: true },
  last_event_at: null,
  oldest_dispatch_at: null,
  oldest_unsent_at: null,
  counts: {
    open_dispatches: 0,
    running_runs: 0,
    failed_runs_24h: 0,
    held_events: 0,
    quarantine_open: 0,
    outbox_pending: 0,
    outbox_stopped: 0,
    ticks_not_run_24h: 0,
  },
  definitions: [] as Json[],
  definition_count: 0,
  runs: [] as Json[],
  failed_runs: [] as Json[],
  ticks_not_run: [],
  pending_tasks: [],
  refused: [],
  refused_and_not_kept: 0,
});

export const shortRun = (run_id: string, change: Json = {}) => ({
  run_id,
  definition_id: 'daily',
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b',
  trigger: { kind: 'manual' },
  status: 'failed',
  task_count: 0,
  sink_mode: 'audit',
  sink_reason: null,
  review_required: false,
  retry_of: null,
  temporal: null,
  started_at: '2026-11-20T08:15:00.000Z',
  finished_at: '2026-11-20T08:15:01.000Z',
  error: { code: 'rule_error', message: 'no such key' },
  ...change,
});

/** What a row of `shortRun` opens to. */
export const wholeRun = (run_id: string) => ({
  ...shortRun(run_id),
  error: { code: 'rule_error', message: 'no such key', details: { expression: 'context.gone' } },
  context: { facts: 1 },
  rules: [],
  tasks: [],
  instructions: [],
  reports: [],
  reviews: [],
  feedback: [],
});

export const scheduledDefinition = (definition_id: string, next_run: string) => ({
  definition_id,
  title: 'Starts by the clock',
  owner: 'tests',
  enabled: true,
  paused: false,
  pause_reason: null,
  problem: null,
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b',
  trigger: { schedule: {} },
  schedule: { cron: '0 6 * * *', timezone: 'UTC', overlap: 'skip', catchup_window: '1h', jitter: '0s' },
  sink_mode: 'audit',
  sink_reason: null,
  last_run: { run_id: 'r1', status: 'completed', started_at: '2026-11-20T06:00:00.000Z' },
  next_run,
});

export const trustOf = (definition_id: string) => ({
  definition_id,
  required: 3,
  trusted: true,
  scheduled: true,
  reason: 'the last 3 scheduled runs are clean',
  clean_streak: 3,
  feedback: null,
  ticks: [],
});

export const refusal = (status: number, code: string, detail: string) => (reply: FastifyReply) =>
  reply.code(status).type('application/problem+json').send(JSON.stringify({ code, detail }));

export async function servePageAnswers(): Promise<PageAnswers> {
  const app = fastify({ forceCloseConnections: true });
  app.addHook('onRequest', async (request, reply) => setSecurityHeaders(request, reply));
  await app.register(operatorPage);
  const answers: PageAnswers = {
    url: '',
    token: null,
    readiness: READY,
    overview: quietOverview('2026-11-20T12:00:00.000Z'),
    trust: {},
    run: {},
    async [Symbol.asyncDispose]() {
      await app.close();
    },
  };
  app.addHook('onRequest', async (request, reply) => {
    if (!request.url.startsWith('/api/') || answers.token === null) return;
    if (request.headers.authorization !== `Bearer ${answers.token}`)
      return refusal(401, 'unauthorized', 'a token is needed')(reply);
  });
  const say = (said: Said, reply: FastifyReply) => (typeof said === 'function' ? said(reply) : said);
  app.get('/readyz', async (_request, reply) => say(answers.readiness, reply));
  app.get('/api/v1/overview', async (_request, reply) => say(answers.overview, reply));
  app.get<{ Params: { id: string } }>('/api/v1/trust/:id', async ({ params }, reply) =>
    say(answers.trust[params.id] ?? refusal(404, 'not_found', 'nobody has it'), reply),
  );
  app.get('/api/v1/runs/:id', async (_request, reply) => say(answers.run, reply));
  answers.url = await app.listen({ host: '127.0.0.1', port: 0 });
  return answers;
}
