/**
 * A definition with faults of shape → one that can be checked further, so that all of its faults are told at once: what
 * is at fault is left out, or a value stands there that nothing can be said against.
 */
import { type Definition, definitionSchema } from '../core/definition.ts';
import type { Path } from '../core/document.ts';
import { fieldMeant } from '../core/field-names.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { checkShape, type ShapeProblem } from '../core/shape.ts';

/** `replaced`: where what stands is not the author's. */
export interface Mended {
  definition: Definition;
  replaced: Path[];
}

/** Null where too little is known: without a trigger, or where a key is misspelt that declares names, each expression would be told as wrong too. */
export function mendShape(
  document: JsonObject,
  problems: readonly ShapeProblem[],
  name: string,
): Mended | null {
  if (problems.some((problem) => mayTell(document, problem))) return null;
  const copy = structuredClone(document);
  const replaced: Path[] = [];
  for (const problem of problems) {
    const mended = mendOne(copy, problem, name);
    if (!mended) return null;
    replaced.push(mended);
  }
  const shaped = checkShape(definitionSchema, copy);
  return shaped.ok ? { definition: shaped.value, replaced } : null;
}

/** Whether something at this place is the author's own. */
export function isReplaced(replaced: readonly Path[], path: Path): boolean {
  return replaced.some((place) => place.every((step, i) => path[i] === step));
}

/** Whether an unknown key may be meant as one that others depend on, and that is not there. */
function mayTell(document: JsonObject, { path, at }: ShapeProblem): boolean {
  if (at !== 'key') return false;
  const place = path.slice(0, -1);
  const holder = place.reduce<Json | undefined>(memberOf, document);
  const telling = TELLING.find(([pattern]) => fits(pattern, place))?.[1] ?? [];
  return telling.some(
    (field) =>
      isObject(holder) && !Object.hasOwn(holder, field) && fieldMeant(String(path.at(-1)), [field]) !== null,
  );
}

/** Optional fields that tell which names there are, what is known of them, or what a source is asked. */
const TELLING: readonly (readonly [pattern: string[], fields: string[]])[] = [
  [[], ['context_sources', 'instructions']],
  [['trigger', 'event'], ['filter']],
  [['context_sources', '*'], ['params']],
  [
    ['rules', '*'],
    ['for_each', 'as'],
  ],
  [['instructions', '*', 'tasks', '*'], ['as']],
];

function mendOne(root: JsonObject, { path, at }: ShapeProblem, name: string): Path | null {
  const neutral = at === 'key' ? undefined : NEUTRAL.find(([pattern]) => fits(pattern, path));
  if (!neutral) return put(root, path, undefined);
  const [pattern, valueFor] = neutral;
  const value = valueFor(path, name);
  const place = pattern.at(-1) === '**' ? path.slice(0, pattern.length - 1) : path;
  return value === null ? null : put(root, place, value);
}

/** `*` is any step, `**` are any or none. What may be left out is not here. */
const NEUTRAL: readonly (readonly [pattern: string[], valueFor: (path: Path, name: string) => Json])[] = [
  [['id'], (_path, name) => name],
  [['title'], () => '-'],
  [['owner'], () => '-'],
  [['trigger', 'schedule', '**'], () => ({ every: '1h' })],
  [['trigger', 'event', 'type'], () => 'not.known'],
  // Never true, so what comes after it counts as asked for: what was meant here may have asked.
  [['trigger', '*', 'filter'], () => 'false'],
  [['trigger', '**'], () => null],
  // No source has this type: its params are not checked, and what it binds is dynamic.
  [['context_sources', '*', 'type'], () => '-'],
  [['context_sources', '**'], () => null],
  [['rules', '*', 'id'], (path) => `rule-${path[1]}`],
  [['rules', '*', 'condition'], () => 'false'],
  [['rules', '*', 'for_each'], () => null],
  [['rules', '*', 'as'], () => null],
  [['rules', '*', 'task', 'title'], () => '-'],
  [['rules', '*', 'task', 'labels', '*'], () => '-'],
  [['rules', '*', 'task'], () => ({ title: '-' })],
  [['rules', '*'], (path) => ({ id: `rule-${path[1]}`, condition: 'false', task: { title: '-' } })],
  [['instructions', '*', 'id'], () => null],
  [['instructions', '*', 'prompt'], () => '-'],
  [['instructions', '*', 'output_schema'], () => ({})],
  [['expect', '**'], () => ({ run_every: '1h' })],
];

function fits(pattern: readonly string[], path: Path): boolean {
  const isOpen = pattern.at(-1) === '**';
  const steps = isOpen ? pattern.slice(0, -1) : pattern;
  if (isOpen ? path.length < steps.length : path.length !== steps.length) return false;
  return steps.every((step, i) => step === '*' || path[i] === step);
}

/** Leaves out what becomes `undefined`; null where nothing can stand there. */
function put(root: JsonObject, path: Path, value: Json | undefined): Path | null {
  const holder = path.slice(0, -1).reduce<Json | undefined>(memberOf, root);
  const last = path.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined) return null;
  if (Array.isArray(holder)) {
    if (typeof last !== 'number' || value === undefined) return null;
    holder[last] = value;
  } else if (value === undefined) delete holder[last];
  else holder[last] = value;
  return path;
}

function memberOf(value: Json | undefined, step: string | number): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Array.isArray(value) ? value[Number(step)] : value[step];
}
