/** A definition with instructions and reports, compiled for a test. */
import { type CompiledDefinition, compileDefinition, type Problem } from '../../src/core/compile.ts';
import type { ReportText } from '../../src/core/compile-report.ts';
import type { BindingsWithOutputs } from '../../src/core/decision.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import type { Json, JsonObject, JsonSchema } from '../../src/core/json.ts';

export const run = {
  run_id: 'r1',
  definition_id: 'd',
  scheduled_for: '2026-11-20T06:00:00Z',
  date: '2026-11-20',
};

export const TRIAGE_SCHEMA: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['summary', 'top'],
  properties: {
    summary: { type: 'string' },
    top: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'rank'],
        properties: { id: { type: 'string' }, rank: { type: 'integer' } },
      },
    },
  },
};

export const instruction = (overrides: JsonObject = {}): JsonObject => ({
  id: 'triage',
  prompt: 'Triage.',
  output_schema: TRIAGE_SCHEMA,
  ...overrides,
});

export interface Declared {
  rules?: JsonObject[];
  instructions?: JsonObject[];
  reports?: JsonObject[];
  reportTexts?: ReportText[][];
  contextTypes?: Record<string, JsonSchema>;
}

function compileDeclared({ reportTexts = [], contextTypes = {}, ...members }: Declared) {
  const definition = definitionSchema.parse({
    id: 'd',
    title: 'T',
    owner: 'o',
    trigger: { manual: {} },
    context_sources: [{ type: 'static', bind_to: 'context.v' }],
    ...members,
  });
  return compileDefinition(definition, { eventType: null, contextTypes, reportTexts });
}

export function compiled(declared: Declared): CompiledDefinition {
  const result = compileDeclared(declared);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.compiled;
}

export function problemsOf(declared: Declared): Problem[] {
  const result = compileDeclared(declared);
  return result.ok ? [] : result.problems;
}

export function bindings(v: Json = null, instructions: JsonObject = {}): BindingsWithOutputs {
  return { event: null, context: { v }, run, instructions };
}
