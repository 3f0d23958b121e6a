/** Two JSON values → what differs, field by field, with paths as in `trigger.schedule.cron` and `rules[0].condition`. */
import { formatPath, type Path } from '../core/document.ts';
import { canonicalJson, type Json, type JsonObject } from '../core/json.ts';

/** `null` also where there is nothing. */
export interface Field {
  path: string;
  from: Json;
  to: Json;
}

export function diffFields(from: Json, to: Json): Field[] {
  return diffAt([], from, to);
}

function diffAt(path: Path, from: Json | undefined, to: Json | undefined): Field[] {
  if (from !== undefined && to !== undefined && canonicalJson(from) === canonicalJson(to)) return [];
  if (isObject(from) && isObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return names
      .filter((name) => from[name] !== undefined || to[name] !== undefined)
      .flatMap((name) => diffAt([...path, name], from[name], to[name]));
  }
  if (Array.isArray(from) && Array.isArray(to)) {
    const longest = from.length > to.length ? from : to;
    return longest.flatMap((_element, index) => diffAt([...path, index], from[index], to[index]));
  }
  return [{ path: formatPath(path), from: from ?? null, to: to ?? null }];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
