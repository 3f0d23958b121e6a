/** `POST /api/v1/tasks/resume` and `/discard`: what is pending is sent, or never will be. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { discardPendingTasks, listPendingTasks, type PendingScope } from '../store/pending-tasks.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { dryRunFlag, idText } from './inputs.ts';
import { problems } from './problem.ts';
import { requestedBy, retryHeaders } from './request-headers.ts';
import { createResumeTasks, MAX_ITEMS, type ResumeTasksDeps } from './resume-tasks.ts';
import { task, taskExample } from './tasks.ts';

export interface PendingTaskDeps extends ResumeTasksDeps {
  metrics: Metrics;
}

const body = z
  .strictObject({
    // Not lowered, which PostgreSQL does not need: a schema that transforms loses its examples in the document.
    run_id: z.guid('expected a UUID').optional().describe('Only those of this run'),
    definition_id: idText.optional().describe('Only those of this definition'),
    dry_run: dryRunFlag,
  })
  .meta({ examples: [{ definition_id: taskExample.definition_id, dry_run: true }] });

const answer = z.object({
  count: z.int().describe('How many there are'),
  items: z.array(task).describe(`The newest ${MAX_ITEMS} of them`),
});

const resumed = answer
  .extend({
    skipped: z
      .array(z.object({ definition_id: z.string(), count: z.int(), reason: z.string() }))
      .describe('What stays pending, and why'),
  })
  .meta({ examples: [{ count: 1, items: [{ ...taskExample, status: 'pending' }], skipped: [] }] });

const discarded = answer.meta({ examples: [{ count: 1, items: [{ ...taskExample, status: 'discarded' }] }] });

const tags = ['tasks'];

export function pendingTaskRoutes(deps: PendingTaskDeps): FastifyPluginAsyncZod {
  const tasks = createResumeTasks(deps);
  return async (app) => {
    app.post(
      '/tasks/resume',
      {
        schema: {
          summary: 'Send pending tasks',
          description:
            'What a 401, a rollback or a give-up left pending is sent after all: its runs are running again until it is. Only what ' +
            'may be emitted now is sent: its definition says `emit: live`, ISSUE_SINK_TYPE is issue-core, and the content of ' +
            'its run is approved. Tasks of runs that are still emitting are sent anyway and do not count.',
          tags,
          querystring: z.strictObject({}),
          headers: retryHeaders,
          body,
          response: { 200: resumed, ...problems('wrong_state') },
        },
      },
      async (request) => {
        const { dry_run, ...scope } = request.body;
        if (dry_run) return tasks.rehearse(scope);
        const done = await tasks.resume(scope);
        tellLog('pending tasks were resumed', scope, done.count, requestedBy(request.headers));
        return done;
      },
    );

    app.post(
      '/tasks/discard',
      {
        schema: {
          summary: 'Discard pending tasks',
          description:
            'What is pending becomes `discarded` and is never sent, whether its run is over or still emitting. Where it was just ' +
            'posted, the answer is recorded all the same.',
          tags,
          querystring: z.strictObject({}),
          headers: retryHeaders,
          body,
          response: { 200: discarded, ...problems() },
        },
      },
      async (request) => {
        const { dry_run, ...scope } = request.body;
        if (dry_run) return listPendingTasks(deps.pool, scope, MAX_ITEMS);
        const { items, by_definition } = await discardPendingTasks(deps.pool, scope, MAX_ITEMS);
        let count = 0;
        for (const [definition_id, n] of Object.entries(by_definition)) {
          deps.metrics.tasks.inc({ definition_id, status: 'discarded' }, n);
          count += n;
        }
        tellLog('pending tasks were discarded', scope, count, requestedBy(request.headers));
        return { count, items };
      },
    );
  };

  function tellLog(message: string, scope: PendingScope, tasks: number, requested_by: string): void {
    if (tasks > 0) deps.logger.info({ ...scope, tasks, requested_by }, message);
  }
}
