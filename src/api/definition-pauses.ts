import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type DefinitionRoutesDeps, definitionExample, definitionItem, toItems } from './definitions.ts';
import { findDefinition } from './find-definition.ts';
import { idText, storableText } from './inputs.ts';
import { createPauses, type PauseDeps } from './pause-definition.ts';
import { problems } from './problem.ts';

const reason = storableText(1000).regex(/\S/, 'expected a text that is not blank');

const pauseBody = z
  .strictObject({ reason: reason.describe('Why; stands wherever the pause shows') })
  .meta({ examples: [{ reason: 'the repositories are being moved' }] });

const resumeBody = z
  .strictObject({
    reason: reason.optional().describe('Why, for the record'),
    held: z
      .enum(['run', 'discard'])
      .default('run')
      .describe('What becomes of the events that were held: they run, oldest first, or never will'),
  })
  .meta({ examples: [{ reason: 'the repositories are moved', held: 'run' }] });

const { definition_id, paused, pause_reason } = definitionItem.shape;

const resumed = z
  .object({
    ...definitionItem.partial().shape,
    definition_id,
    paused,
    pause_reason,
    was_paused: z.boolean().describe('Whether there was a pause to end'),
    held: z
      .object({ fired: z.int(), discarded: z.int() })
      .describe('How many events were held, by their outcome now'),
  })
  .describe('Of a definition that is no longer declared: only the id, the pause, `was_paused` and `held`');

const pausedExample = {
  ...definitionExample,
  paused: true,
  pause_reason: 'the repositories are being moved',
};
const resumedExample = { ...definitionExample, was_paused: true, held: { fired: 100, discarded: 0 } };

const params = z.object({ definition_id: idText });
const tags = ['definitions'];

export function definitionPauseRoutes(deps: PauseDeps & DefinitionRoutesDeps): FastifyPluginAsyncZod {
  const pauses = createPauses(deps);
  return async (app) => {
    app.post(
      '/definitions/:definition_id/pause',
      {
        schema: {
          summary: 'Pause a definition',
          description:
            'Its ticks are `paused` and its events `held` until it is resumed, also across restarts and when definitions ' +
            'are applied. What runs goes on, and runs by hand still start. Paused again, it has the newer reason.',
          tags,
          params,
          querystring: z.strictObject({}),
          body: pauseBody,
          response: { 200: definitionItem.meta({ examples: [pausedExample] }), ...problems('not_found') },
        },
      },
      async (request) => {
        const id = request.params.definition_id;
        await pauses.pause(id, request.body.reason);
        const [item] = await toItems(deps, [findDefinition(await deps.registry.current(), id)]);
        return item!;
      },
    );

    app.post(
      '/definitions/:definition_id/resume',
      {
        schema: {
          summary: 'Resume a definition',
          description:
            'Ends its pause, also one that was made by hand in Temporal. The events that were held run on the revision that ' +
            'is applied now, or are discarded. What is not paused stays as it is.',
          tags,
          params,
          querystring: z.strictObject({}),
          body: resumeBody,
          response: {
            200: resumed.meta({ examples: [resumedExample] }),
            ...problems('not_found', 'definition_disabled'),
          },
        },
      },
      async (request) => {
        const id = request.params.definition_id;
        const { reason, held } = request.body;
        const { wasPaused, ...counts } = await pauses.resume(id, { reason, held });
        const found = (await deps.registry.current()).find(id);
        const [item] = found ? await toItems(deps, [found]) : [];
        return {
          definition_id: id,
          paused: false,
          pause_reason: null,
          ...item,
          was_paused: wasPaused,
          held: counts,
        };
      },
    );
  };
}
