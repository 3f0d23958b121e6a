/** JSON ↔ the values that CEL computes with, and how a trace shows them. */
import type { CelType } from './expression-types.ts';
import type { Json, JsonObject } from './json.ts';

export type Convert = (json: unknown) => unknown;

export const MISSING = '(missing)';
export const TRUNCATED = '… [truncated]';
const LONGEST_SHOWN = 2048;
const MOST_MEMBERS = 100_000;

/** A result that has no JSON form: NaN, an integer beyond 2^53, a type. */
export class NotJson extends Error {}

/**
 * The conversion of a type's values: `integer` becomes a bigint, everything else stays what it is.
 * It gives the very same value where there is nothing to convert. `known` keeps conversions of shared types.
 */
export function conversionOf(type: CelType, known = new Map<CelType, Convert>()): Convert {
  const ready = known.get(type);
  if (ready) return ready;
  const convert = buildConversion(type, known);
  known.set(type, convert);
  return convert;
}

function buildConversion(type: CelType, known: Map<CelType, Convert>): Convert {
  switch (type.kind) {
    case 'string':
    case 'double':
    case 'bool':
      return same;
    case 'int':
      return toBigInt;
    case 'dyn':
      return dynamic;
    case 'list': {
      const element = conversionOf(type.element, known);
      if (element === same) return same;
      return (json) => (Array.isArray(json) ? convertList(json, element) : dynamic(json));
    }
    case 'map': {
      const value = conversionOf(type.value, known);
      return (json) => (isRecord(json) ? convertMembers(json, () => value) : dynamic(json));
    }
    case 'object':
      return objectConversion(type.fields, type.rest, known);
  }
}

function objectConversion(
  declared: ReadonlyMap<string, CelType>,
  rest: CelType | null,
  known: Map<CelType, Convert>,
): Convert {
  const fields = new Map([...declared].map(([name, field]) => [name, conversionOf(field, known)]));
  const other = rest === null ? dynamic : conversionOf(rest, known);
  const conversionFor = (name: string): Convert => fields.get(name) ?? other;
  const changing = [...fields].filter(([, convert]) => convert !== same);

  return (json) => {
    if (!isRecord(json)) return dynamic(json);
    if (rest !== null || isHazardous(json)) return convertMembers(json, conversionFor);
    let copy: Record<string, unknown> | null = null;
    for (const [name, convert] of changing) {
      if (!Object.hasOwn(json, name)) continue;
      const converted = convert(json[name]);
      if (converted === json[name]) continue;
      copy ??= { ...json };
      copy[name] = converted;
    }
    return copy ?? json;
  };
}

function same(json: unknown): unknown {
  return json;
}

/** Beyond 2^53 a JSON number is no exact integer any more: it stays a double. */
function toBigInt(json: unknown): unknown {
  return typeof json === 'number' && Number.isSafeInteger(json) ? BigInt(json) : json;
}

function dynamic(json: unknown): unknown {
  if (Array.isArray(json)) return convertList(json, dynamic);
  return isRecord(json) ? convertMembers(json, () => dynamic) : json;
}

function convertList(list: readonly unknown[], convert: Convert): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let i = 0; i < list.length; i++) {
    const converted = convert(list[i]);
    if (converted === list[i]) continue;
    copy ??= [...list];
    copy[i] = converted;
  }
  return copy ?? list;
}

function convertMembers(json: Record<string, unknown>, conversionFor: (name: string) => Convert): unknown {
  if (isHazardous(json)) {
    return new Map(Object.entries(json).map(([name, value]) => [name, conversionFor(name)(value)]));
  }
  let copy: Record<string, unknown> | null = null;
  for (const name of Object.keys(json)) {
    const converted = conversionFor(name)(json[name]);
    if (converted === json[name]) continue;
    copy ??= { ...json };
    copy[name] = converted;
  }
  return copy ?? json;
}

/** cel-js asks a value for its `.constructor`: data that has such a key must be a Map there. */
function isHazardous(json: object): boolean {
  return Object.hasOwn(json, 'constructor') || Object.hasOwn(json, '__proto__');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What CEL computed, as JSON: times as RFC 3339, durations as `90s`, bytes as base64. Throws NotJson. */
export function toJson(value: unknown): Json {
  const budget = { members: MOST_MEMBERS };
  return jsonOf(value, budget);
}

function jsonOf(value: unknown, budget: { members: number }): Json {
  if (budget.members-- <= 0) throw new NotJson(`has more than ${MOST_MEMBERS} members`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new NotJson(`is ${value}, which is no JSON number`);
      return value;
    case 'bigint':
      return exactNumber(value);
    case 'object':
      return value === null ? null : jsonOfObject(value, budget);
    default:
      throw new NotJson(`is a ${typeof value}, which has no JSON form`);
  }
}

function jsonOfObject(value: object, budget: { members: number }): Json {
  if (Array.isArray(value)) return value.map((element) => jsonOf(element, budget));
  if (value instanceof Map) return membersOf(value.entries(), budget);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return membersOf(Object.entries(value), budget);
  if (isDuration(value)) return durationText(value);
  const primitive: unknown = value.valueOf();
  if (typeof primitive === 'bigint') return exactNumber(primitive);
  throw new NotJson('is a type, which has no JSON form');
}

function membersOf(entries: Iterable<[unknown, unknown]>, budget: { members: number }): JsonObject {
  const members: JsonObject = {};
  for (const [key, member] of entries) {
    const json = jsonOf(member, budget);
    if (key !== '__proto__') members[String(key)] = json;
    else
      Object.defineProperty(members, key, {
        value: json,
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  return members;
}

function exactNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new NotJson(`is ${value}, an integer beyond 2^53`);
  return number;
}

function isDuration(value: object): value is { seconds: bigint; nanos: number } {
  return 'seconds' in value && typeof value.seconds === 'bigint' && 'nanos' in value;
}

function durationText({ seconds, nanos }: { seconds: bigint; nanos: number }): string {
  const total = seconds * 1_000_000_000n + BigInt(nanos);
  const magnitude = total < 0n ? -total : total;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${total < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction && `.${fraction}`}s`;
}

/** The value itself, or a text that ends in `… [truncated]` where its JSON is longer than 2 KiB. */
export function shown(json: Json): Json {
  if (typeof json === 'string') {
    return json.length > LONGEST_SHOWN ? cut(json, LONGEST_SHOWN) + TRUNCATED : json;
  }
  if (typeof json !== 'object' || json === null) return json;
  const text = jsonStart(json, LONGEST_SHOWN + 1);
  return text.length > LONGEST_SHOWN ? cut(text, LONGEST_SHOWN) + TRUNCATED : json;
}

/** At most `length` UTF-16 units, never half of a surrogate pair. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

/** The first characters of the value's JSON; stops soon after `limit`, however large the value is. */
function jsonStart(json: Json, limit: number): string {
  if (typeof json === 'string') return JSON.stringify(cut(json, limit));
  if (typeof json !== 'object' || json === null) return JSON.stringify(json);
  if (Array.isArray(json)) {
    let text = '[';
    for (const element of json) {
      if (text.length > 1) text += ',';
      text += jsonStart(element, limit - text.length);
      if (text.length >= limit) return text;
    }
    return `${text}]`;
  }
  let text = '{';
  for (const [key, member] of Object.entries(json)) {
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(key)}:${jsonStart(member, limit - text.length)}`;
    if (text.length >= limit) return text;
  }
  return `${text}}`;
}

export type PathSegment = string | number;

/** Own members only: `constructor` is missing unless the data has it. */
export function readPath(root: Json | undefined, segments: readonly PathSegment[]): Json | undefined {
  let value: Json | undefined = root;
  for (const segment of segments) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) {
      if (typeof segment !== 'number') return undefined;
      value = value[segment];
    } else {
      if (!Object.hasOwn(value, segment)) return undefined;
      value = value[segment];
    }
  }
  return value;
}
