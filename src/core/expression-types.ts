/** JSON Schema → the types that expressions are checked against. What is not simple is dynamic. */
import { isObject, type Json, type JsonObject, type JsonSchema } from './json.ts';

/**
 * `object` is closed where `rest` is null: reading a field that it does not declare is an error.
 * Otherwise undeclared fields have the type `rest`. `optional`: declared, and may yet be missing. `allowed`: the only
 * values there are. Types share parts and have no cycles.
 */
export type CelType =
  | { readonly kind: 'dyn' | 'string' | 'int' | 'double' | 'bool'; readonly allowed?: readonly Json[] }
  | { readonly kind: 'list'; readonly element: CelType }
  | { readonly kind: 'map'; readonly value: CelType }
  | {
      readonly kind: 'object';
      readonly fields: ReadonlyMap<string, CelType>;
      readonly rest: CelType | null;
      readonly optional?: ReadonlySet<string>;
    };

export const DYN: CelType = { kind: 'dyn' };
export const STRING: CelType = { kind: 'string' };
export const INT: CelType = { kind: 'int' };
export const DOUBLE: CelType = { kind: 'double' };
export const BOOL: CelType = { kind: 'bool' };
export const DYN_LIST: CelType = { kind: 'list', element: DYN };

const UNLIMITED = { string: STRING, int: INT, double: DOUBLE, bool: BOOL };
const MAX_DEPTH = 64;
/** Many references that each require something else of one large object would give as many large types. */
const MOST_COPIED_FIELDS = 50_000;
const COMBINERS = ['allOf', 'anyOf', 'oneOf', 'then', 'else'] as const;
/** Keywords that can give a value another shape than the schema beside them says. */
const RESHAPING = [
  '$ref',
  '$dynamicRef',
  'items',
  'prefixItems',
  'additionalProperties',
  'patternProperties',
  'unevaluatedProperties',
];
const SHAPES = ['type', 'properties', 'enum', 'const', ...COMBINERS, ...RESHAPING];

/** The type of the values that the schema allows; `$ref` is followed within the document only. */
export function typeOfSchema(root: JsonSchema): CelType {
  const resolved = new Map<string, CelType>();
  const resolving = new Set<string>();
  let copiesLeft = MOST_COPIED_FIELDS;

  function typeOf(schema: Json | undefined, depth: number): CelType {
    if (!isObject(schema) || depth > MAX_DEPTH) return DYN;
    if (typeof schema.$ref === 'string') {
      const refersOnly = SHAPES.every((keyword) => keyword === '$ref' || schema[keyword] === undefined);
      if (!refersOnly) return DYN;
      const referred = typeOfReference(schema.$ref, depth);
      return schema.required === undefined ? referred : requiring(referred, [schema]);
    }
    if (schema.$dynamicRef !== undefined || !isRefined(schema, schema)) return DYN;
    switch (declaredType(schema)) {
      case 'string':
        return limited('string', schema);
      case 'integer':
        return limited('int', schema);
      case 'number':
        return limited('double', schema);
      case 'boolean':
        return limited('bool', schema);
      case 'array':
        return schema.prefixItems === undefined
          ? { kind: 'list', element: typeOf(schema.items, depth + 1) }
          : DYN_LIST;
      case 'object':
        return typeOfObject(schema, depth);
      default:
        return DYN;
    }
  }

  function typeOfReference(reference: string, depth: number): CelType {
    const known = resolved.get(reference);
    if (known) return known;
    if (resolving.has(reference)) return DYN;
    resolving.add(reference);
    const type = typeOf(follow(root, reference), depth + 1);
    resolving.delete(reference);
    resolved.set(reference, type);
    return type;
  }

  function typeOfObject(schema: JsonObject, depth: number): CelType {
    const declared = isObject(schema.properties) ? Object.entries(schema.properties) : [];
    const additional = schema.additionalProperties ?? schema.unevaluatedProperties;
    let rest: CelType | null = null;
    if (schema.patternProperties !== undefined || additional === true) rest = DYN;
    else if (isObject(additional)) rest = typeOf(additional, depth + 1);
    if (declared.length > 0) {
      const fields = new Map(declared.map(([name, field]) => [name, typeOf(field, depth + 1)]));
      const optional = new Set(fields.keys());
      for (const name of requiredOf(schema)) optional.delete(name);
      return requiring({ kind: 'object', fields, rest, optional }, partsOf(schema));
    }
    if (rest !== null) return rest.kind === 'dyn' ? DYN : { kind: 'map', value: rest };
    return additional === false ? { kind: 'object', fields: new Map(), rest } : DYN;
  }

  /** The type without the optional fields that any of the schemas requires in some case, in it or in what it holds. */
  function requiring(type: CelType, schemas: readonly JsonObject[]): CelType {
    if (schemas.length === 0) return type;
    if (type.kind === 'list') {
      const elements = schemas.map(({ items }) => items).filter(isObject);
      return { kind: 'list', element: requiring(type.element, elements.flatMap(withParts)) };
    }
    if (type.kind !== 'object' || type.fields.size > copiesLeft) return type;
    copiesLeft -= type.fields.size;
    const optional = new Set(type.optional);
    for (const name of schemas.flatMap(requiredOf)) optional.delete(name);
    const fields = new Map(type.fields);
    for (const [name, inside] of membersOf(schemas)) {
      const field = fields.get(name);
      if (field) fields.set(name, requiring(field, inside));
    }
    return { kind: 'object', fields, rest: type.rest, optional };
  }

  return typeOf(typeof root === 'boolean' ? undefined : root, 0);
}

function limited(kind: keyof typeof UNLIMITED, schema: JsonObject): CelType {
  const values = schema.const === undefined ? schema.enum : [schema.const];
  return Array.isArray(values) ? { kind, allowed: values } : UNLIMITED[kind];
}

function requiredOf({ required, dependentRequired }: JsonObject): string[] {
  const dependent = isObject(dependentRequired) ? Object.values(dependentRequired).flat() : [];
  return [...(Array.isArray(required) ? required : []), ...dependent].map(String);
}

/** By the member's name, what the schemas say of it. */
function membersOf(schemas: readonly JsonObject[]): Map<string, JsonObject[]> {
  const members = new Map<string, JsonObject[]>();
  for (const { properties } of schemas) {
    for (const [name, member] of isObject(properties) ? Object.entries(properties) : []) {
      if (!isObject(member)) continue;
      const inside = members.get(name) ?? [];
      inside.push(...withParts(member));
      members.set(name, inside);
    }
  }
  return members;
}

function withParts(schema: JsonObject): JsonObject[] {
  return [schema, ...partsOf(schema)];
}

/** What the combiners of a schema, and those inside them, say of the same value. */
function partsOf(schema: JsonObject): JsonObject[] {
  const parts = [...COMBINERS, 'dependentSchemas'].flatMap((keyword) => {
    const part = schema[keyword];
    return keyword === 'dependentSchemas' && isObject(part) ? Object.values(part) : (part ?? []);
  });
  return parts.filter(isObject).flatMap(withParts);
}

/** Whether the combiners only constrain what `base` already gives a shape to, as `anyOf: [{required: […]}]` does. */
function isRefined(schema: JsonObject, base: JsonObject): boolean {
  return COMBINERS.flatMap((keyword) => schema[keyword] ?? []).every((part) => {
    if (!isObject(part)) return true;
    if (RESHAPING.some((keyword) => part[keyword] !== undefined && part[keyword] !== false)) return false;
    if (part.type !== undefined && part.type !== base.type) return false;
    if ((part.enum !== undefined || part.const !== undefined) && base.type === undefined) return false;
    const declared = isObject(base.properties) ? base.properties : {};
    const named = isObject(part.properties) ? Object.keys(part.properties) : [];
    return named.every((name) => Object.hasOwn(declared, name)) && isRefined(part, base);
  });
}

function declaredType(schema: JsonObject): string | null {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) {
    if (type.length === 1) return String(type[0]);
    return type.every((name) => name === 'integer' || name === 'number') ? 'number' : null;
  }
  if (type !== undefined) return null;
  if (schema.properties !== undefined) return 'object';
  if (schema.items !== undefined) return 'array';
  const values = Array.isArray(schema.enum) ? schema.enum : [schema.const];
  if (values.every((value) => typeof value === 'string')) return 'string';
  return values.every((value) => typeof value === 'boolean') ? 'boolean' : null;
}

function follow(root: JsonSchema, reference: string): Json | undefined {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let place: Json | undefined = root;
  for (const part of reference.split('/').slice(1)) {
    const key = decodePointer(part);
    if (key === null || typeof place !== 'object' || place === null || !Object.hasOwn(place, key)) {
      return undefined;
    }
    place = Array.isArray(place) ? place[Number(key)] : place[key];
  }
  return place;
}

function decodePointer(part: string): string | null {
  const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
  if (!key.includes('%')) return key;
  try {
    return decodeURIComponent(key);
  } catch {
    return null;
  }
}
