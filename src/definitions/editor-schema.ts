/** JSON Schemas for editors, out of the schemas that validate. Draft 7, which yaml-language-server knows best. */
import { z } from 'zod';
import { definitionSchema } from '../core/definition.ts';
import { eventTypeSchema } from '../core/event-type.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { REPORT_SHAPES } from '../reports/registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';

export const EDITOR_SCHEMAS = ['activity-definition', 'event-type'] as const;
export type EditorSchema = (typeof EDITOR_SCHEMAS)[number];

/** Describes what may be written: fields that have a default are optional. */
export function editorSchema(kind: EditorSchema, resolvers: Resolvers): JsonObject {
  if (kind === 'event-type') return toJsonSchema(eventTypeSchema);
  const schema = toJsonSchema(definitionSchema);
  const source = member(schema, 'properties', 'context_sources', 'items');
  member(source, 'properties', 'type').enum = [...resolvers.keys()];
  source.allOf = [...resolvers.values()].map(({ type, params }): JsonObject => {
    const accepted = withoutDialect(toJsonSchema(params));
    const consequence: JsonObject = { properties: { params: accepted } };
    if (Array.isArray(accepted.required)) consequence.required = ['params'];
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    return { if: { properties: { type: { const: type } } }, then: consequence };
  });
  const report = member(schema, 'properties', 'reports', 'items');
  member(report, 'properties', 'sink').enum = REPORT_SHAPES.map(({ sink }) => sink);
  report.allOf = REPORT_SHAPES.map(({ sink, params }): JsonObject => {
    const { additionalProperties: _strict, ...accepted } = withoutDialect(toJsonSchema(params));
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    return { if: { properties: { sink: { const: sink } } }, then: accepted };
  });
  return schema;
}

function toJsonSchema(schema: z.ZodType): JsonObject {
  const generated: Json = JSON.parse(
    JSON.stringify(z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })),
  );
  return generated as JsonObject;
}

/** References in a schema that is put into another would point at the other's root: what they hold is any JSON. */
function withoutDialect({ $schema: _dialect, definitions: _definitions, ...schema }: JsonObject): JsonObject {
  const text = JSON.stringify(schema, (_key, value: Json) => (isReference(value) ? {} : value));
  const inlined: Json = JSON.parse(text);
  return inlined as JsonObject;
}

function isReference(value: Json): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && typeof value.$ref === 'string'
  );
}

function member(schema: JsonObject, ...path: string[]): JsonObject {
  let value: Json | undefined = schema;
  for (const step of path) value = (value as JsonObject)[step];
  return value as JsonObject;
}
