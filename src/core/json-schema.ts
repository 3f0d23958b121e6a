/** JSON Schemas (2020-12) that authors write: what is wrong with one, and values against it. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import { RE2JS } from 're2js';
import type { Path } from './document.ts';
import type { Violation } from './envelope.ts';
import { canonicalJson, type Json, type JsonObject } from './json.ts';
import { findKeywordProblems, TYPE_NAMES } from './schema-keywords.ts';
import { describeFound, suggestion } from './wording.ts';

const LONGEST_URL = 2_048;
const MAX_VIOLATIONS = 100;
/** A name may be as long as the value: repeated in each violation, it would be a hundred times as much. */
const LONGEST_POINTER = 1_000;

export type SchemaValidator = (value: Json) => Violation[];

/** `base`: the JSON Pointer that pointers of violations begin with. Throws where the schema is invalid: the check below has said why before. */
export function createSchemaValidator(schema: JsonObject, base = ''): SchemaValidator {
  const validate = newAjv().compile(schema);
  return (value) => (validate(value) ? [] : violationsOf(validate, base));
}

/** What makes this no usable JSON Schema; paths from the schema. Empty where it is fine. Nothing is fetched: a reference leads into the schema itself. */
export type SchemaCheck = (schema: JsonObject) => { path: Path; message: string }[];

/**
 * Made once for many schemas: the schema of schemas takes longer to compile than most of them. What was applied is asked
 * only whether it can be compiled: slips that are found today must not stop what ran yesterday.
 */
export function createSchemaCheck({ isApplied = false } = {}): SchemaCheck {
  const dialect = newAjv();
  return (schema) => {
    if (schema.$async !== undefined) return [{ path: ['$async'], message: '`$async` is not supported' }];
    const isKeyword = (name: string) => Object.hasOwn(dialect.RULES.keywords, name);
    const found = isApplied ? [] : findKeywordProblems(schema, isKeyword);
    try {
      if (!dialect.validateSchema(schema)) found.push(...dialectProblems(dialect.errors ?? [], schema));
      if (found.length === 0) newAjv().compile(schema);
      return found;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return [culprit(error, schema)];
    }
  };
}

function dialectProblems(errors: ErrorObject[], schema: JsonObject): { path: Path; message: string }[] {
  const byPath = new Map<string, { path: Path; message: string }>();
  for (const error of errors) {
    if (['$dynamicRef', 'anyOf', 'if'].includes(error.keyword) || byPath.has(error.instancePath)) continue;
    const message = `${wording(error)}, found ${describeFound(error.data)}${meant(error)}`;
    byPath.set(error.instancePath, { path: pathOf(error.instancePath, schema), message });
  }
  return [...byPath.values()];
}

/** What authors mean who come from other languages, or from the first drafts. */
function meant({ keyword, instancePath, data, params }: ErrorObject): string {
  if (instancePath.endsWith('/required') && typeof data === 'boolean') {
    return '; `required` is a list of names beside `properties`, as in `required: [repo]`';
  }
  if (keyword !== 'enum' || typeof data !== 'string') return '';
  return suggestion(
    TYPE_NAMES.get(data.toLowerCase()) ?? data,
    (params.allowedValues as unknown[]).map(String),
  );
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    validateSchema: false,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    allowUnionTypes: true,
    addUsedSchema: false,
    // What JavaScript gives each object, like `constructor`, is no member of a text's.
    ownProperties: true,
    logger: false,
    code: { regExp: linearRegExp },
  });
  formatsPlugin.default(ajv);
  // The plugin's expression takes quadratic time: a minute for a long text of colons.
  ajv.addFormat('url', (text: string) => text.length <= LONGEST_URL && URL.canParse(text));
  // The built-in keyword compares each element with each other: minutes for a large list of an event.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not hold the same element twice' },
    validate: (wanted: boolean, list: Json[]) =>
      !wanted || new Set(list.map(canonicalJson)).size === list.length,
  });
  return ajv;
}

/** An author's pattern and a stranger's text: RE2 takes linear time where V8 can be made to hang. */
const linearRegExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // Ajv keys compiled patterns by their toString: without one they would all be the first.
    return { test: (text: string) => compiled.test(text), toString: () => pattern };
  },
  { code: 'linearRegExp' },
);

function violationsOf(validate: ValidateFunction, base: string): Violation[] {
  const errors = validate.errors ?? [];
  const violations = errors.slice(0, MAX_VIOLATIONS).map((error) => ({
    pointer: shortened(`${base}${error.instancePath}${memberOf(error)}`),
    message: wording(error),
  }));
  const more = errors.length - violations.length;
  if (more > 0) violations.push({ pointer: base, message: `and ${more} more` });
  return violations;
}

function shortened(pointer: string): string {
  if (pointer.length <= LONGEST_POINTER) return pointer;
  // A copy: what `slice` gives keeps all of its string in memory.
  return Buffer.from(`${pointer.slice(0, LONGEST_POINTER)}… [truncated]`).toString();
}

/** The member that is missing or too many: its pointer says more than that of the object around it. */
function memberOf({ params }: ErrorObject): string {
  const name: unknown = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return typeof name === 'string' ? `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` : '';
}

function wording(error: ErrorObject): string {
  const { keyword, params, message = 'is not valid' } = error;
  if (params.missingProperty !== undefined) return 'is required';
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties')
    return 'is not declared by the schema';
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`;
  return message;
}

/** JSON Pointer → path, with numbers where lists are. */
function pathOf(pointer: string, root: Json): Path {
  let value: Json | undefined = root;
  return pointer
    .split('/')
    .slice(1)
    .map((step) => {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      const inList = Array.isArray(value);
      value = typeof value === 'object' && value !== null ? (value as JsonObject)[name] : undefined;
      return inList ? Number(name) : name;
    });
}

/** Ajv's exceptions name a keyword, a reference or a pattern, not a place: the first one in the schema it is. */
function culprit(error: Error, schema: Json): { path: Path; message: string } {
  const reference = 'missingRef' in error ? String(error.missingRef) : null;
  if (reference !== null) {
    const path = findPath(schema, (key, value) => key === '$ref' && value === reference);
    const message = `\`${reference}\` is not in this schema; expected a reference into it, as in \`#/$defs/name\``;
    return { path: path ?? [], message };
  }
  if (error.message.startsWith('error parsing regexp')) {
    const message = `expected a regular expression that RE2 understands: ${error.message}`;
    return { path: findPath(schema, holdsForeignPattern) ?? [], message };
  }
  const quoted = /"([^"]+)"/.exec(error.message)?.[1];
  const path = findPath(schema, (key, value) => key === quoted || value === quoted);
  return { path: path ?? [], message: `not a usable JSON Schema: ${error.message}` };
}

function holdsForeignPattern(key: string, value: Json): boolean {
  if (key === 'pattern') return typeof value === 'string' && !isLinear(value);
  if (key !== 'patternProperties' || typeof value !== 'object' || value === null) return false;
  return Object.keys(value).some((pattern) => !isLinear(pattern));
}

function isLinear(pattern: string): boolean {
  try {
    linearRegExp(pattern);
    return true;
  } catch {
    return false;
  }
}

function findPath(value: Json, matches: (key: string, value: Json) => boolean): Path | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, member] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(key) : key;
    if (matches(key, member)) return [step];
    const below = findPath(member, matches);
    if (below) return [step, ...below];
  }
  return null;
}
