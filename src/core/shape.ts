/** A document against a zod schema: each issue becomes a fault with its place, what was found, what was expected. */
import { z } from 'zod';
import type { Fault, Path, Position, SourceDocument } from './document.ts';
import { fieldMeant } from './field-names.ts';
import type { Json, JsonObject } from './json.ts';
import { describeFound, listNames, suggestion } from './wording.ts';

/** What is wrong with which value, or with its name. */
export interface ShapeProblem {
  path: Path;
  at: 'value' | 'key';
  message: string;
}

/** `offset` counts in the scalar's text. */
export type LocatedProblem = { path: Path; at?: 'value' | 'key'; offset?: number | null; message: string };

export type Shaped<T> = { ok: true; value: T } | { ok: false; problems: ShapeProblem[] };

export function checkShape<T>(schema: z.ZodType<T>, value: Json): Shaped<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problems: result.error.issues.flatMap((issue) => problemsOf(issue, schema, value)) };
}

export function locateProblem(document: SourceDocument, problem: LocatedProblem): Fault {
  const position: Position = document.locate(problem.path, problem.at, problem.offset);
  return { ...position, path: problem.path, message: problem.message };
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType, root: Json): ShapeProblem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: 'key',
      message: `unknown field \`${key}\`${meantOrKnown(key, known)}`,
    }));
  }
  const name = path.at(-1);
  if (typeof name === 'string' && issue.code !== 'custom' && !exists(root, path)) {
    const message = isWhole(issue) ? issue.message : `missing required field \`${name}\``;
    return [{ path, at: 'value', message }];
  }
  return [{ path, at: 'value', message: messageOf(issue) }];
}

/** Whether the schema has said all of it, and not only what it expected. */
function isWhole({ message }: z.core.$ZodIssue): boolean {
  return /^(expected|missing) /.test(message);
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (isWhole(issue)) return issue.message;
  const found = `found ${describeFound(issue.input)}`;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.message.startsWith('Invalid ') ? (KINDS[issue.expected] ?? issue.expected) : issue.message}, ${found}`;
    case 'invalid_value': {
      const names = issue.values.map(String);
      const [only] = issue.values;
      if (names.length === 1 && typeof only === 'number' && issue.input === names[0]) {
        return `expected the number ${only}, ${found}`;
      }
      const near = typeof issue.input === 'string' ? suggestion(issue.input, names) : '';
      return `expected ${names.length > 1 ? 'one of ' : ''}${listNames(names)}, ${found}${near}`;
    }
    case 'invalid_format':
      return `expected ${issue.message.startsWith('Invalid ') ? `a text like ${issue.pattern}` : issue.message}, ${found}`;
    case 'too_small':
      return `expected at least ${bound(issue.minimum, issue.origin)}, ${found}`;
    case 'too_big':
      return `expected at most ${bound(issue.maximum, issue.origin)}, ${found}`;
    default:
      return issue.message;
  }
}

const KINDS: Record<string, string | undefined> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function bound(limit: number | bigint, origin: string): string {
  if (origin === 'string') return `${limit} character${limit === 1 ? '' : 's'}`;
  if (origin === 'array') return `${limit} element${limit === 1 ? '' : 's'}`;
  return String(limit);
}

function meantOrKnown(name: string, known: string[]): string {
  const meant = fieldMeant(name, known);
  if (meant !== null) return `; did you mean \`${meant}\`?`;
  return known.length > 0 ? `; known fields: ${listNames(known)}` : '; no field is expected here';
}

function exists(root: Json, path: Path): boolean {
  let value: Json = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
    value = (value as JsonObject)[step]!;
  }
  return true;
}

/** The names that an object at this place may have; read off the JSON Schema, which is simpler to walk than zod. */
function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let node: z.core.JSONSchema._JSONSchema | undefined = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  });
  for (const step of path) {
    if (typeof node !== 'object') return [];
    node = typeof step === 'number' ? (node.items as z.core.JSONSchema._JSONSchema) : node.properties?.[step];
  }
  return typeof node === 'object' ? Object.keys(node.properties ?? {}) : [];
}
