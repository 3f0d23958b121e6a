/** The OpenAPI document, made of the routes' own schemas. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { type FastifyPluginAsyncZod, jsonSchemaTransform } from 'fastify-type-provider-zod';
import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { problemShape } from './problem.ts';

const BEARER = 'bearer';

/** Before the routes: it sees those that come after it. */
export function registerOpenApi(app: FastifyInstance): void {
  app.register(swagger, {
    transform: jsonSchemaTransform,
    openapi: {
      openapi: '3.1.1',
      info: { title: 'activity-core', version: manifest.version, description: manifest.description },
      tags: [
        { name: 'overview', description: 'Everything at a glance' },
        { name: 'definitions', description: 'What is declared, and runs by hand' },
        { name: 'runs', description: 'What ran, why, and what came of it' },
        { name: 'tasks', description: 'The spawn log' },
        { name: 'ticks', description: 'When schedules were due, and what became of it' },
        { name: 'events', description: 'The event ledger and its registry' },
        { name: 'quarantine', description: 'What was refused' },
        { name: 'health', description: 'Health, metrics and this document: open to everybody' },
      ],
      security: [{ [BEARER]: [] }],
      components: {
        securitySchemes: {
          [BEARER]: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN, where one is set' },
        },
        schemas: { Problem: schemaOfProblem() },
      },
    },
  });
}

export const openApiRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/openapi.json',
    {
      schema: {
        summary: 'This document',
        description: 'OpenAPI 3.1 of what this process serves.',
        tags: ['health'],
        security: [],
        response: { 200: z.unknown().meta({ type: 'object', examples: [{ openapi: '3.1.1' }] }) },
      },
    },
    async (_request, reply) => reply.type('application/json').send(JSON.stringify(app.swagger())),
  );
};

/** What routes refer to as `#/components/schemas/Problem`. */
function schemaOfProblem() {
  const { $schema: _, ...schema } = z.toJSONSchema(problemShape);
  return JSON.parse(JSON.stringify(schema));
}
