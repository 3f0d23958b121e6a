/** Keywords of a JSON Schema that are a slip, or that together let nothing through. */
import type { Path } from './document.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { listNames, nearestName, suggestion } from './wording.ts';

interface KeywordProblem {
  path: Path;
  message: string;
}

const SCHEMA = [
  'items',
  'additionalProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
];
const MOST_KEYWORDS = 6;
const LIST_OF_SCHEMAS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const MAP_OF_SCHEMAS = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];
/** Below these a schema may refuse everything and be meant so. */
const CASES = ['anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas', '$defs', 'definitions'];

/** By the type of the schema that they stand in; what every schema may have is under `any`. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  any: [
    'type',
    'enum',
    'const',
    'title',
    'description',
    'default',
    'examples',
    '$ref',
    '$defs',
    'allOf',
    'anyOf',
    'oneOf',
    'not',
  ],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  array: ['items', 'minItems', 'maxItems', 'uniqueItems', 'prefixItems', 'contains'],
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'minProperties',
    'maxProperties',
  ],
};

/** What others call them. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['choices', 'enum'],
  ['fields', 'properties'],
  ['options', 'enum'],
  ['regex', 'pattern'],
  ['values', 'enum'],
]);

/** What other languages call the types. */
export const TYPE_NAMES: ReadonlyMap<string, string> = new Map([
  ['bool', 'boolean'],
  ['datetime', 'string'],
  ['date', 'string'],
  ['dict', 'object'],
  ['double', 'number'],
  ['float', 'number'],
  ['int', 'integer'],
  ['list', 'array'],
  ['long', 'integer'],
  ['map', 'object'],
  ['str', 'string'],
  ['text', 'string'],
  ['timestamp', 'string'],
]);

/** What others have and JSON Schema says otherwise. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ['optional', 'a field is optional unless `required` names it: leave this out'],
]);

export function findKeywordProblems(
  root: JsonObject,
  isKeyword: (name: string) => boolean,
): KeywordProblem[] {
  const problems: KeywordProblem[] = [];

  function visit(schema: Json | undefined, path: Path, isCase: boolean): void {
    if (!isObject(schema)) return;
    for (const name of Object.keys(schema)) {
      if (!isKeyword(name)) problems.push({ path: [...path, name], message: unknownKeyword(name, schema) });
    }
    if (!isCase) problems.push(...findUnreachable(schema, path));
    for (const keyword of SCHEMA)
      visit(schema[keyword], [...path, keyword], isCase || CASES.includes(keyword));
    for (const keyword of [...LIST_OF_SCHEMAS, ...MAP_OF_SCHEMAS]) {
      const inside = schema[keyword];
      if (typeof inside !== 'object' || inside === null) continue;
      for (const [step, member] of Object.entries(inside)) {
        const at = Array.isArray(inside) ? Number(step) : step;
        visit(member, [...path, keyword, at], isCase || CASES.includes(keyword));
      }
    }
  }

  visit(root, [], false);
  return problems;
}

function unknownKeyword(name: string, schema: JsonObject): string {
  const explained = EXPLAINED.get(name.toLowerCase());
  if (explained !== undefined) return `unknown keyword \`${name}\`; ${explained}`;
  const known = keywordsFor(schema.type);
  const near = OTHER_NAMES.get(name.toLowerCase()) ?? nearestName(name, known);
  const begun = known.filter((keyword) => keyword.startsWith(name)).slice(0, MOST_KEYWORDS);
  const listed =
    begun.length > 0 ? `; expected one of ${listNames(begun)}` : '; JSON Schema has none of this name';
  const meant = near === null ? listed : `; did you mean \`${near}\`?`;
  const isField = isObject(schema[name]) && near === null;
  return `unknown keyword \`${name}\`${isField ? '; a field of the data belongs under `properties`' : meant}`;
}

function keywordsFor(type: Json | undefined): readonly string[] {
  const name = typeof type === 'string' ? (TYPE_NAMES.get(type.toLowerCase()) ?? type) : null;
  const kind = name === 'integer' ? 'number' : name;
  const own =
    typeof kind === 'string' && kind !== 'any' && Object.hasOwn(KEYWORDS, kind) ? KEYWORDS[kind] : undefined;
  return own ? [...own, ...KEYWORDS.any!] : Object.values(KEYWORDS).flat();
}

/** A name that is required and at the same time refused. */
function findUnreachable(schema: JsonObject, path: Path): KeywordProblem[] {
  const { required, properties, additionalProperties, patternProperties } = schema;
  if (additionalProperties !== false || patternProperties !== undefined || !Array.isArray(required))
    return [];
  const declared = isObject(properties) ? Object.keys(properties) : [];
  return required.flatMap((name, i) => {
    if (typeof name !== 'string' || declared.includes(name)) return [];
    const undeclared = declared.filter((one) => !required.includes(one));
    const message = `\`${name}\` is required, and \`additionalProperties: false\` refuses it because \`properties\` does not declare it: nothing can pass here; declare it or take it out${suggestion(name, undeclared)}`;
    return [{ path: [...path, 'required', i], message }];
  });
}
