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

  function typeOf(schema: Json | undefined, depth: number): CelType {
    if (!isObject(schema) || depth > MAX_DEPTH) return DYN;
    if (typeof schema.$ref === 'string') {
      const refersOnly = SHAPES.every((keyword) => keyword === '$ref' || schema[keyword] === undefined);
      return refersOnly ? typeOfReference(schema.$ref, depth) : DYN;
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
      const optional = optionalFields(schema);
      return { kind: 'object', fields, rest, ...(optional.size > 0 && { optional }) };
    }
    if (rest !== null) return rest.kind === 'dyn' ? DYN : { kind: 'map', value: rest };
    return additional === false ? { kind: 'object', fields: new Map(), rest } : DYN;
  }

  return typeOf(typeof root === 'boolean' ? undefined : root, 0);
}

function limited(kind: keyof typeof UNLIMITED, schema: JsonObject): CelType {
  const values = schema.const === undefined ? schema.enum : [schema.const];
  return Array.isArray(values) ? { kind, allowed: values } : UNLIMITED[kind];
}

/** The declared fields that an object may lack. One that any part of the schema requires in some case is left out. */
function optionalFields(schema: JsonObject): Set<string> {
  const optional = new Set(isObject(schema.properties) ? Object.keys(schema.properties) : []);
  for (const name of requiredAnywhere(schema)) optional.delete(name);
  return optional;
}

function requiredAnywhere(schema: JsonObject): string[] {
  const own = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const parts = [...COMBINERS, 'dependentSchemas'].flatMap((keyword) => {
    const part = schema[keyword];
    return keyword === 'dependentSchemas' && isObject(part) ? Object.values(part) : (part ?? []);
  });
  const dependent = isObject(schema.dependentRequired) ? Object.values(schema.dependentRequired).flat() : [];
  return [...own, ...dependent.map(String), ...parts.filter(isObject).flatMap(requiredAnywhere)];
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
