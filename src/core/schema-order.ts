/**
 * The order in which an author named an object's members. PostgreSQL's jsonb forgets the order of members, in a schema and in
 * a value; lists keep theirs, so `required` still has it.
 */
import type { Json, JsonObject } from './json.ts';

/** The schema with each `properties` in the order of `required`; the others come after. */
export function inDeclaredOrder<S extends Json>(schema: S): S;
export function inDeclaredOrder(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map((member) => inDeclaredOrder(member));
  if (!isObject(schema)) return schema;
  const members = Object.entries(schema).map(([name, member]): [string, Json] => [
    name,
    inDeclaredOrder(member),
  ]);
  const ordered: JsonObject = Object.fromEntries(members);
  const { properties, required } = ordered;
  if (isObject(properties) && Array.isArray(required)) ordered.properties = reordered(properties, required);
  return ordered;
}

/** The value with its members in the order of the schema's `properties`. Reads `properties` and `items` alone. */
export function inOrderOf(value: Json, schema: Json | undefined): Json {
  if (!isObject(schema)) return value;
  if (Array.isArray(value)) return value.map((element) => inOrderOf(element, schema.items));
  const { properties } = schema;
  if (!isObject(value) || !isObject(properties)) return value;
  const ordered = reordered(value, Object.keys(properties));
  return Object.fromEntries(
    Object.entries(ordered).map(([name, member]) => [
      name,
      inOrderOf(member, Object.hasOwn(properties, name) ? properties[name] : undefined),
    ]),
  );
}

function reordered(object: JsonObject, names: readonly Json[]): JsonObject {
  const first = names.filter((name) => typeof name === 'string' && Object.hasOwn(object, name)) as string[];
  const order = new Set([...first, ...Object.keys(object)]);
  return Object.fromEntries([...order].map((name) => [name, object[name] ?? null]));
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
