/** A value that a JSON Schema allows: always the same for the same schema and prompt. Best effort; who uses it checks it. */
import { createHash } from 'node:crypto';
import type { PromptData, PromptTask } from './llm-connect-prompt.ts';

type Schema = Readonly<Record<string, unknown>>;

export interface ValueMaking {
  /** Where `$ref` leads into. */
  root: Schema;
  /** What numbers and fillers are made of. */
  seed: string;
  data: PromptData;
}

interface Place {
  /** The names and positions that lead here. */
  path: readonly (string | number)[];
  /** The task that the object around is about. */
  task: PromptTask | null;
  /** The task that could not be ranked and that the object around asks about. */
  unclear: PromptData['unranked'][number] | null;
  depth: number;
}

/** Below it only what is required is made, so that a schema that contains itself ends. */
const DEEPEST_OPTIONAL = 6;
const DEEPEST = 10;
const USUAL_LENGTH = 3;

export function valueFor(making: ValueMaking): unknown {
  return make(making.root, { path: [], task: null, unclear: null, depth: 0 }, making);
}

function make(given: unknown, place: Place, making: ValueMaking): unknown {
  if (place.depth > DEEPEST) return null;
  const schema = flattened(given, making.root, 0);
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return oneOf(schema.enum, place, making);
  switch (typeOf(schema)) {
    case 'object':
      return makeObject(schema, place, making);
    case 'array':
      return makeArray(schema, place, making);
    case 'integer':
      return makeNumber(schema, place, making, 1);
    case 'number':
      return makeNumber(schema, place, making, 0.01);
    case 'boolean':
      return numberAt(place, making) % 2 === 0;
    case 'null':
      return null;
    default:
      return makeText(schema, place, making);
  }
}

/** With what `$ref`, `allOf` and the first of `anyOf` or `oneOf` say. */
function flattened(given: unknown, root: Schema, depth: number): Schema {
  if (!isSchema(given) || depth > DEEPEST) return {};
  const { $ref, allOf, anyOf, oneOf: alternatives, ...own } = given;
  const first = [anyOf, alternatives].map((list) => (Array.isArray(list) ? list[0] : undefined));
  const referred = typeof $ref === 'string' ? [resolve($ref, root)] : [];
  const parts = [...referred, ...(Array.isArray(allOf) ? allOf : []), ...first.filter(isSchema)];
  return parts.map((part) => flattened(part, root, depth + 1)).reduce(merged, own);
}

function merged(one: Schema, other: Schema): Schema {
  const properties = { ...record(one.properties), ...record(other.properties) };
  const required = [...list(one.required), ...list(other.required)];
  return { ...one, ...other, properties, required };
}

function resolve(reference: string, root: Schema): unknown {
  if (!reference.startsWith('#')) return {};
  let value: unknown = root;
  for (const step of decodeURIComponent(reference.slice(1)).split('/').slice(1)) {
    value = record(value)[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return value;
}

function typeOf(schema: Schema): string {
  const [first] = list(schema.type).filter((type) => type !== 'null');
  if (typeof schema.type === 'string') return schema.type;
  if (typeof first === 'string') return first;
  if (Object.keys(record(schema.properties)).length > 0 || list(schema.required).length > 0) return 'object';
  if ('items' in schema || 'prefixItems' in schema) return 'array';
  return 'minimum' in schema || 'maximum' in schema ? 'number' : 'string';
}

function makeObject(schema: Schema, place: Place, making: ValueMaking): Record<string, unknown> {
  const properties = record(schema.properties);
  const required = list(schema.required).map(String);
  const declared = place.depth < DEEPEST_OPTIONAL ? Object.keys(properties) : [];
  const names = [...new Set([...required, ...declared])];
  const least = numberOr(schema.minProperties, 0);
  while (names.length < least) names.push(`member_${names.length + 1}`);
  const below = (name: string): Place => ({ ...place, path: [...place.path, name], depth: place.depth + 1 });
  return Object.fromEntries(
    names.map((name) => {
      const own =
        properties[name] ?? (isSchema(schema.additionalProperties) ? schema.additionalProperties : {});
      return [name, make(own, below(name), making)];
    }),
  );
}

function makeArray(schema: Schema, place: Place, making: ValueMaking): unknown[] {
  const { data } = making;
  const first = list(schema.prefixItems);
  const least = Math.max(numberOr(schema.minItems, 0), first.length);
  const most = numberOr(schema.maxItems, Number.POSITIVE_INFINITY);
  const name = nameOf(place);
  const tasks = /stale/.test(name) ? data.ranked.toSorted(byAge) : data.ranked;
  const unclear = /question/.test(name) ? data.unranked : [];
  const known = place.task && ID_NAME.test(name) ? 1 : unclear.length || tasks.length || 1;
  const usual = place.depth >= DEEPEST_OPTIONAL ? 0 : Math.min(USUAL_LENGTH, known);
  const length = Math.min(Math.max(least, usual), most, 1000);
  return Array.from({ length }, (_, at) => {
    const task = tasks[at % Math.max(1, tasks.length)] ?? null;
    const own = {
      path: [...place.path, at],
      task: place.task ?? task,
      unclear: place.unclear ?? unclear[at] ?? null,
      depth: place.depth + 1,
    };
    return make(first[at] ?? schema.items, own, making);
  });
}

function byAge(one: PromptTask, other: PromptTask): number {
  return String(one.updated_at) < String(other.updated_at) ? -1 : 1;
}

/** A number of the task itself, where it has one of that name that fits. */
function makeNumber(schema: Schema, place: Place, making: ValueMaking, unit: number): number {
  const step = numberOr(schema.multipleOf, unit);
  const floor = numberOr(schema.minimum, numberOr(schema.exclusiveMinimum, Number.NEGATIVE_INFINITY));
  const ceiling = numberOr(schema.maximum, numberOr(schema.exclusiveMaximum, Number.POSITIVE_INFINITY));
  const low = Number.isFinite(floor) ? floor : Math.min(0, ceiling - 100);
  const high = Number.isFinite(ceiling) ? ceiling : low + 100;
  const known = place.task?.[nameOf(place)];
  const isWhole = unit === 1;
  if (typeof known === 'number' && known >= low && known <= high && (!isWhole || Number.isInteger(known))) {
    return known;
  }
  const [from, to] = [Math.ceil(low / step), Math.floor(high / step)];
  const isOpen = typeof schema.exclusiveMinimum === 'number' && from * step <= schema.exclusiveMinimum;
  const isOpenAbove = typeof schema.exclusiveMaximum === 'number' && to * step >= schema.exclusiveMaximum;
  const [least, most] = [from + (isOpen ? 1 : 0), to - (isOpenAbove ? 1 : 0)];
  const chosen = least + (numberAt(place, making) % Math.max(1, most - least + 1));
  return Number((chosen * step).toPrecision(12));
}

function makeText(schema: Schema, place: Place, making: ValueMaking): string {
  const [example] = list(schema.examples);
  if (typeof schema.default === 'string') return schema.default;
  if (typeof example === 'string') return example;
  const formatted = typeof schema.format === 'string' ? FORMATTED[schema.format] : undefined;
  if (formatted !== undefined) return formatted;
  const text = textAbout(place, making);
  const least = numberOr(schema.minLength, 0);
  const most = numberOr(schema.maxLength, Number.POSITIVE_INFINITY);
  return [...text.padEnd(least, '.')].slice(0, most).join('');
}

const FORMATTED: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  duration: 'P1D',
  email: 'stand-in@example.org',
  hostname: 'example.org',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.org/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

const ID_NAME = /^(task_?)?ids?$/;

/** What a plain person would write there, as far as the prompt's data goes. */
function textAbout({ path, task, unclear }: Place, { data }: ValueMaking): string {
  const name = nameOf({ path });
  const isId = ID_NAME.test(name);
  if (unclear)
    return isId ? unclear.id : `What is ${unclear.missing.join(', ') || 'missing'} of ${unclear.id}?`;
  if (task) {
    if (/question/.test(name)) return `Is ${task.id}, ${task.title}, still wanted?`;
    if (isId) return task.id;
    if (/step|action/.test(name)) return `Name who takes ${task.id} today.`;
    const known = task[name];
    if (typeof known === 'string') return known;
    const rank = data.ranked.indexOf(task) + 1;
    return `${task.title}: number ${rank} of ${data.ranked.length} by WSJF (${String(task.wsjf)}).`;
  }
  const [first] = data.ranked;
  if (first) return `${data.ranked.length} tasks are ranked; the first is ${first.id}, ${first.title}.`;
  return `The stand-in's ${name.replaceAll('_', ' ')}.`;
}

/** The name of the member, or of the list, that the value stands in. */
const nameOf = ({ path }: Pick<Place, 'path'>): string =>
  path.findLast((step) => typeof step === 'string') ?? 'answer';

/** The task's own id, where one has to be chosen. */
function oneOf(choices: readonly unknown[], place: Place, making: ValueMaking): unknown {
  if (place.task && choices.includes(place.task.id)) return place.task.id;
  return choices[numberAt(place, making) % Math.max(1, choices.length)];
}

function numberAt({ path }: Place, { seed }: ValueMaking): number {
  return createHash('sha256')
    .update(JSON.stringify([seed, path]))
    .digest()
    .readUInt32BE(0);
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const record = (value: unknown): Schema => (isSchema(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const numberOr = (value: unknown, otherwise: number): number =>
  typeof value === 'number' ? value : otherwise;
