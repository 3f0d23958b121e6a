/** activity-core's own HTTP API (contract 5) as its CLI uses it. Nothing is retried. */
import type { z } from 'zod';
import type { Definition } from '../core/definition.ts';
import type { JsonObject } from '../core/json.ts';
import {
  type OnRecord,
  onRecordSchema,
  type RecordedEvent,
  type RecordedTick,
  recordedEventSchema,
  recordedTickSchema,
  revisionSchema,
} from './activity-core-api-backtest.ts';
import { ApiProblemError, ApiUnreachableError, UnexpectedAnswerError } from './activity-core-api-errors.ts';
import {
  type NewReview,
  newReviewSchema,
  type PendingTasks,
  type PendingTasksRequest,
  type Promotion,
  pendingTasksSchema,
  promotionSchema,
  type ReviewRequest,
} from './activity-core-api-live.ts';
import { type PlanAnswer, planSchema } from './activity-core-api-plan.ts';
import {
  type Backfill,
  backfillSchema,
  type DefinitionItem,
  type DryRun,
  definitionSchema,
  dryRunSchema,
  type EventDetail,
  type EventItem,
  eventDetailSchema,
  eventSchema,
  eventTypeSchema,
  jsonObject,
  type Page,
  pageSchema,
  problemSchema,
  type Quarantined,
  type QuarantinePage,
  quarantinedSchema,
  quarantinePageSchema,
  type Redriven,
  type Resumed,
  type Run,
  type RunDetail,
  redrivenSchema,
  resumedSchema,
  runDetailSchema,
  runSchema,
  type Started,
  startedSchema,
  type Task,
  type Tick,
  taskSchema,
  tickSchema,
} from './activity-core-api-shapes.ts';
import {
  type Feedback,
  type FeedbackRequest,
  feedbackSchema,
  type Trust,
  trustSchema,
} from './activity-core-api-trust.ts';
import { parseJson } from './parse-json.ts';

export interface ActivityCoreApiOptions {
  /** Without a slash at its end. */
  url: string;
  token: string | undefined;
  /** Who named the URL, as in `--api`: stands in the message where nobody answers. */
  origin?: string;
}

/** Query parameters by the API's names; those that are undefined are not sent. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** @throws ApiProblemError, ApiUnreachableError, UnexpectedAnswerError */
export interface ActivityCoreApi {
  readonly url: string;
  listDefinitions(query: Query): Promise<Page<DefinitionItem>>;
  getDefinition(definitionId: string): Promise<DefinitionItem>;
  pauseDefinition(definitionId: string, body: { reason: string }): Promise<DefinitionItem>;
  resumeDefinition(
    definitionId: string,
    body: { reason?: string; held: 'run' | 'discard' },
  ): Promise<Resumed>;
  getPromotion(definitionId: string): Promise<Promotion>;
  getPlan(): Promise<PlanAnswer>;
  applyPlan(): Promise<PlanAnswer>;
  listTicks(query: Query): Promise<Page<Tick>>;
  getOnRecord(definitionId: string): Promise<OnRecord>;
  getRevision(definitionId: string, hash: string): Promise<{ document: Definition }>;
  /** Oldest first. `query`: `type`, `since`, `until`, `context`, `limit` (to 1000), `cursor`. */
  listRecordedEvents(definitionId: string, query: Query): Promise<Page<RecordedEvent>>;
  /** As above, without `type`. */
  listRecordedTicks(definitionId: string, query: Query): Promise<Page<RecordedTick>>;
  /** `query`: `required`. */
  getTrust(definitionId: string, query: Query): Promise<Trust>;
  /** `body`: `event`, `reason`. Without a key, each call is a run of its own. */
  startRun(definitionId: string, body: JsonObject, idempotencyKey: string | undefined): Promise<Started>;
  backfill(definitionId: string, body: JsonObject): Promise<Backfill>;
  listRuns(query: Query): Promise<Page<Run>>;
  getRun(runId: string): Promise<RunDetail>;
  retryRun(runId: string): Promise<Started>;
  dryRetryRun(runId: string): Promise<DryRun>;
  reviewRun(runId: string, body: ReviewRequest): Promise<NewReview>;
  giveFeedback(runId: string, body: FeedbackRequest): Promise<Feedback>;
  /** `body`: `event` and what else contract 5 allows; `dry_run` is set here. */
  dryRun(definitionId: string, body: JsonObject): Promise<DryRun>;
  listTasks(query: Query): Promise<Page<Task>>;
  resumeTasks(body: PendingTasksRequest): Promise<PendingTasks>;
  discardTasks(body: PendingTasksRequest): Promise<PendingTasks>;
  /** The registry. */
  listEventTypes(query: Query): Promise<Page<{ type: string }>>;
  listEvents(query: Query): Promise<Page<EventItem>>;
  getEvent(uidOrId: string): Promise<EventDetail>;
  listQuarantine(query: Query): Promise<QuarantinePage>;
  getQuarantined(id: string): Promise<Quarantined>;
  redrive(id: string, body: { dry_run: boolean }): Promise<Redriven>;
  /** Resolves with what the API answers. */
  discard(id: string, body: { reason: string }): Promise<JsonObject>;
}

interface Request {
  method: 'GET' | 'POST';
  path: string[];
  query?: Query;
  body?: JsonObject;
  idempotencyKey?: string | undefined;
}

const READ_TIMEOUT_MS = 30_000;
/** Dry runs ask remote sources, which the service itself retries for two minutes. */
const WRITE_TIMEOUT_MS = 150_000;

export function createActivityCoreApi({ url, token, origin }: ActivityCoreApiOptions): ActivityCoreApi {
  async function ask<Schema extends z.ZodType>(schema: Schema, request: Request): Promise<z.output<Schema>> {
    const target = addressOf(url, request);
    const { response, body } = await exchange(target, request, token).catch((error: unknown) => {
      throw new ApiUnreachableError(origin ? `${url} (${origin})` : url, reasonOf(error, request), error);
    });
    const answer = parseJson(body);
    if (!response.ok) throw problemOf(url, response.status, answer);
    const checked = schema.safeParse(answer);
    if (!checked.success) {
      const { path, message } = checked.error.issues[0] ?? { path: [], message: 'of another shape' };
      throw new UnexpectedAnswerError(
        url,
        `${target.pathname}: ${path.join('.') || 'answer'}: ${message}`,
        checked.error,
      );
    }
    // As it came: a parsed copy would have its members in another order.
    return answer as z.output<Schema>;
  }
  const read = <Schema extends z.ZodType>(schema: Schema, path: string[], query: Query = {}) =>
    ask(schema, { method: 'GET', path, query });
  const write = <Schema extends z.ZodType>(schema: Schema, path: string[], body: JsonObject) =>
    ask(schema, { method: 'POST', path, body });

  return {
    url,
    listDefinitions: (query) => read(pageSchema(definitionSchema), ['definitions'], query),
    getDefinition: (definitionId) => read(definitionSchema, ['definitions', definitionId]),
    pauseDefinition: (definitionId, body) =>
      write(definitionSchema, ['definitions', definitionId, 'pause'], body),
    resumeDefinition: (definitionId, body) =>
      write(resumedSchema, ['definitions', definitionId, 'resume'], body),
    getPromotion: (definitionId) => read(promotionSchema, ['definitions', definitionId, 'promotion']),
    getPlan: () => read(planSchema, ['plan']),
    applyPlan: () => write(planSchema, ['plan', 'apply'], {}),
    listTicks: (query) => read(pageSchema(tickSchema), ['ticks'], query),
    getOnRecord: (definitionId) => read(onRecordSchema, ['backtest', definitionId]),
    getRevision: (definitionId, hash) => read(revisionSchema, ['backtest', definitionId, 'revisions', hash]),
    listRecordedEvents: (definitionId, query) =>
      read(pageSchema(recordedEventSchema), ['backtest', definitionId, 'events'], query),
    listRecordedTicks: (definitionId, query) =>
      read(pageSchema(recordedTickSchema), ['backtest', definitionId, 'ticks'], query),
    getTrust: (definitionId, query) => read(trustSchema, ['trust', definitionId], query),
    startRun: (definitionId, body, idempotencyKey) =>
      ask(startedSchema, {
        method: 'POST',
        path: ['definitions', definitionId, 'runs'],
        body,
        idempotencyKey,
      }),
    backfill: (definitionId, body) => write(backfillSchema, ['definitions', definitionId, 'backfill'], body),
    listRuns: (query) => read(pageSchema(runSchema), ['runs'], query),
    getRun: (runId) => read(runDetailSchema, ['runs', runId]),
    retryRun: (runId) => write(startedSchema, ['runs', runId, 'retry'], {}),
    dryRetryRun: (runId) => write(dryRunSchema, ['runs', runId, 'retry'], { dry_run: true }),
    reviewRun: (runId, body) => write(newReviewSchema, ['runs', runId, 'review'], body),
    giveFeedback: (runId, body) => write(feedbackSchema, ['runs', runId, 'feedback'], body),
    dryRun: (definitionId, body) =>
      write(dryRunSchema, ['definitions', definitionId, 'runs'], { ...body, dry_run: true }),
    listTasks: (query) => read(pageSchema(taskSchema), ['tasks'], query),
    resumeTasks: (body) => write(pendingTasksSchema, ['tasks', 'resume'], body),
    discardTasks: (body) => write(pendingTasksSchema, ['tasks', 'discard'], body),
    listEventTypes: (query) => read(pageSchema(eventTypeSchema), ['event-types'], query),
    listEvents: (query) => read(pageSchema(eventSchema), ['events'], query),
    getEvent: (uidOrId) => read(eventDetailSchema, ['events', uidOrId]),
    listQuarantine: (query) => read(quarantinePageSchema, ['quarantine'], query),
    getQuarantined: (id) => read(quarantinedSchema, ['quarantine', id]),
    redrive: (id, body) => write(redrivenSchema, ['quarantine', id, 'redrive'], body),
    discard: (id, body) => write(jsonObject, ['quarantine', id, 'discard'], body),
  };
}

function addressOf(url: string, { path, query = {} }: Request): URL {
  const target = new URL(`${url}/api/v1/${path.map(encodeURIComponent).join('/')}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) target.searchParams.set(name, String(value));
  }
  return target;
}

async function exchange(target: URL, request: Request, token: string | undefined) {
  const { method, body, idempotencyKey } = request;
  const response = await fetch(target, {
    method,
    headers: {
      accept: 'application/json',
      ...(body ? { 'content-type': 'application/json', 'x-requested-by': 'cli' } : {}),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(timeoutOf(request)),
  });
  return { response, body: await response.text() };
}

const timeoutOf = ({ method }: Request): number => (method === 'GET' ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS);

function reasonOf(error: unknown, request: Request): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutOf(request) / 1000} s`;
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'no such host';
  return cause.message || code;
}

function problemOf(url: string, status: number, answer: unknown): Error {
  const problem = problemSchema.safeParse(answer);
  if (problem.success) return new ApiProblemError(status, problem.data);
  return new UnexpectedAnswerError(url, `it answered ${status} without a problem document`);
}
