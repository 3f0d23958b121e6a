/** The HTTP app: routes and plugins, apart from whoever listens. Tests call `inject()`. */
import { randomUUID } from 'node:crypto';
import bearerAuth from '@fastify/bearer-auth';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { type FastifyPluginAsyncZod, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { AskModel } from '../activities/ask-model.ts';
import type { StartDispatch, StartEmission } from '../bridge/dispatch.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { TemporalSchedules } from '../schedules/temporal-schedules.ts';
import type { Sink } from '../sinks/sink.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import type { Logger } from '../telemetry/logger.ts';
import { backfillRoutes } from './backfill.ts';
import { backtestRoutes } from './backtest.ts';
import { definitionPauseRoutes } from './definition-pauses.ts';
import { definitionRoutes } from './definitions.ts';
import { handleError, handleNotFound } from './error-handler.ts';
import { eventTypeRoutes } from './event-types.ts';
import { eventRoutes } from './events.ts';
import { feedbackRoutes } from './feedback.ts';
import { type HealthDeps, healthRoutes } from './health.ts';
import { openApiRoutes, registerOpenApi } from './openapi.ts';
import { operatorPage } from './operator-page.ts';
import { type OverviewDeps, overviewRoutes } from './overview.ts';
import { pendingTaskRoutes } from './pending-tasks.ts';
import { planRoutes } from './plan.ts';
import { promotionRoutes } from './promotion.ts';
import { quarantineRoutes } from './quarantine.ts';
import { type CountWrongToken, limitRequests } from './rate-limit.ts';
import { reviewRoutes } from './reviews.ts';
import { runRoutes } from './runs.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { taskRoutes } from './tasks.ts';
import { tickRoutes } from './ticks.ts';
import { type TrustRoutesDeps, trustRoutes } from './trust.ts';

const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** An event's id may have 200 characters, each of up to 9 when it is percent-encoded. */
const LONGEST_PARAM = 1800;

export interface ApiDeps extends HealthDeps, TrustRoutesDeps, Pick<OverviewDeps, 'readLag' | 'temporalUi'> {
  registry: AppliedRegistry;
  resolvers: Resolvers;
  /** For dry runs: asks the model and keeps nothing of it. */
  rehearseModel: () => AskModel;
  /** For dry runs of retries: knows the answers on record, and asks nobody. */
  recallModel: AskModel;
  sinkMode: DecideSinkMode;
  startDispatch: StartDispatch;
  startEmission: StartEmission;
  /** There also while ISSUE_SINK_TYPE is null, so that a promotion can look; null where ISSUE_CORE_URL is not set. */
  issueCore: Sink | null;
  temporalSchedules: TemporalSchedules;
  /** Whether STATE_HUB_URL is set: what is to be posted there waits for it, and for nothing without it. */
  hasStateHub: boolean;
  /** DEFINITIONS_DIR: what is planned and applied. */
  definitionsDir: string;
  logger: Logger;
  adminToken: string | undefined;
  /** Of `/api`, for each client address. */
  requestsPerMinute: number;
  dedupeDays: number;
  /** Every role serves health, metrics and the OpenAPI document; only `api` serves `/api` and the page that shows it. */
  roles: readonly string[];
}

/** A new resource is a file and a line here. */
const RESOURCES: ((deps: ApiDeps) => FastifyPluginAsyncZod)[] = [
  overviewRoutes,
  definitionRoutes,
  definitionPauseRoutes,
  promotionRoutes,
  planRoutes,
  backfillRoutes,
  backtestRoutes,
  runRoutes,
  reviewRoutes,
  feedbackRoutes,
  taskRoutes,
  pendingTaskRoutes,
  eventRoutes,
  quarantineRoutes,
  eventTypeRoutes,
  tickRoutes,
  trustRoutes,
];

export function createApp(deps: ApiDeps): FastifyInstance {
  const logger: FastifyBaseLogger = deps.logger.child({ component: 'api' });
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: false,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    frameworkErrors(error, request, reply) {
      setSecurityHeaders(request, reply);
      handleError(error, request, reply);
    },
  });
  acceptJsonOnly(app);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler(handleNotFound);
  app.addHook('onRequest', async (request, reply) => setSecurityHeaders(request, reply));
  registerOpenApi(app);
  app.register(async (scope) => {
    useZod(scope);
    scope.register(healthRoutes(deps));
    scope.register(openApiRoutes);
  });
  if (deps.roles.includes('api')) {
    app.register((scope) => serveApi(scope, deps), { prefix: '/api' });
    app.register(operatorPage);
  }
  return app;
}

async function serveApi(scope: FastifyInstance, deps: ApiDeps): Promise<void> {
  useZod(scope);
  const countWrongToken = await limitRequests(scope, deps.requestsPerMinute);
  if (deps.adminToken !== undefined) await requireToken(scope, deps.adminToken, countWrongToken);
  // Of its own, so that it stands behind the token too: without one, nobody learns what is here.
  scope.setNotFoundHandler(handleNotFound);
  for (const routes of RESOURCES) scope.register(routes(deps), { prefix: '/v1' });
}

/**
 * The plugin compares with crypto.timingSafeEqual. A request without a token is refused, and is no guess. The right one
 * passes whoever else is wrong: behind a port forward or NAT, many callers are one address.
 */
async function requireToken(
  scope: FastifyInstance,
  token: string,
  countWrongToken: CountWrongToken,
): Promise<void> {
  await scope.register(bearerAuth, {
    keys: [token],
    addHook: false,
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'debug',
  });
  const verify = scope.verifyBearerAuth;
  if (!verify) throw new Error('@fastify/bearer-auth did not decorate the scope');
  scope.addHook('onRequest', (request, reply, done) => {
    verify(request, reply, (error) => {
      if (!error || request.headers.authorization === undefined) done(error);
      else countWrongToken(request).then(() => done(error), done);
    });
  });
}

/** In a scope: set on the app, they would break plugins whose routes have JSON Schemas. */
function useZod(scope: FastifyInstance): void {
  scope.setValidatorCompiler(validatorCompiler);
  scope.setSerializerCompiler(serializerCompiler);
}

/** A page elsewhere cannot send JSON without asking first, a form or plain text it could. No body at all is `{}`. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parse(request, String(body), done);
  });
  app.addHook('preValidation', async (request) => {
    if (request.body === undefined && request.routeOptions.schema?.body) request.body = {};
  });
}
