/** Where the values stand that an expression reads, and which of them are known to be there. */
import type { CelType } from './expression-types.ts';

/** As in `event.attributes.note`, with `[*]` for any element of a list. `all` where nothing can be reached. */
export type Paths = ReadonlySet<string> | 'all';

export interface Place {
  type: CelType;
  path: string;
  /** What is there besides, as below an element that has passed a `filter`. */
  present: Paths;
  /** Of a list whose elements come from elsewhere, as that of `map`. */
  element: Place | null;
}

/** What is known of a scope's variables before an expression is evaluated. */
export interface Knowledge {
  /** By the variable's name; one that is not here is not looked into. */
  places: ReadonlyMap<string, Place>;
  present: Paths;
  /** Path → another path of the same value. */
  sameAs: ReadonlyMap<string, string>;
  /** Variables that may be null. */
  nullable: ReadonlySet<string>;
  /** The name of the element of `for_each`; null outside of one. */
  element: string | null;
}

/** What an evaluation that did not fail tells. */
export interface Implied {
  /** What it has read is there. */
  always: Paths;
  whenTrue: Paths;
  whenFalse: Paths;
  /** Where its result stands, if that is a place. */
  place: Place | null;
}

export const NO_PATHS: Paths = new Set<string>();
export const NOTHING: Implied = { always: NO_PATHS, whenTrue: NO_PATHS, whenFalse: NO_PATHS, place: null };

export function placeOf(path: string, type: CelType): Place {
  return { type, path, present: NO_PATHS, element: null };
}

/** What `in`, the macros and `for_each` meet there: any element of a list. Of a map those are keys, which have no place. */
export function elementOf(place: Place | null): Place | null {
  if (place?.element) return { ...place.element, present: union(place.element.present, place.present) };
  return place?.type.kind === 'list' ? inside(place, place.type.element) : null;
}

/** What an index gives that is not known beforehand: any element of a list, any value of a map. */
export function indexedOf(place: Place | null): Place | null {
  return place?.type.kind === 'map' ? inside(place, place.type.value) : elementOf(place);
}

function inside({ path, present }: Place, type: CelType): Place {
  return { type, path: `${path}[*]`, present, element: null };
}

export function hasPath(paths: Paths, path: string): boolean {
  return paths === 'all' || paths.has(path);
}

export function union(a: Paths, b: Paths): Paths {
  if (a === 'all' || b === 'all') return 'all';
  if (a.size === 0 || a === b) return b;
  return b.size === 0 ? a : new Set([...a, ...b]);
}

export function intersection(a: Paths, b: Paths): Paths {
  if (a === 'all') return b;
  if (b === 'all') return a;
  return new Set([...a].filter((path) => b.has(path)));
}

export function withPath(paths: Paths, path: string): Paths {
  return hasPath(paths, path) ? paths : union(paths, new Set([path]));
}

/** Those that begin with `root`. */
export function below(paths: Paths, root: string): Paths {
  return paths === 'all' ? NO_PATHS : new Set([...paths].filter((path) => path.startsWith(root)));
}
