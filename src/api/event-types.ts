import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import { pageQuery } from './inputs.ts';
import { jsonObject, listOf } from './outputs.ts';
import { pageByName } from './page-by-name.ts';
import { problems } from './problem.ts';

const eventType = z.object({
  type: z.string(),
  title: z.string(),
  owner: z.string(),
  attributes_schema: jsonObject.describe('JSON Schema (2020-12) of the attributes'),
});

const example = {
  type: 'kaizen.metrics.recorded',
  title: 'An agent’s metrics were recorded',
  owner: 'kaizen',
  attributes_schema: { type: 'object', required: ['agent', 'project', 'summary'] },
};

export function eventTypeRoutes({ registry }: { registry: AppliedRegistry }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/event-types',
      {
        schema: {
          summary: 'List the event types',
          description: 'The registry as it is applied now, ordered by type.',
          tags: ['events'],
          querystring: z.strictObject(pageQuery),
          response: { 200: listOf(eventType, example), ...problems() },
        },
      },
      async (request) => {
        const { eventTypes } = await registry.current();
        return pageByName(eventTypes, ({ type }) => type, request.query);
      },
    );
  };
}
